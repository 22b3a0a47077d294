/* The smallest MTA that holds a session: greets, and hears nothing until the client goes. */
#include <unistd.h>

int main(void)
{
	static const char greeting[] = "220 stub ESMTP\r\n";
	char line[512];

	if (write(1, greeting, sizeof greeting - 1) != sizeof greeting - 1)
		return 1;
	while (read(0, line, sizeof line) > 0)
		;
	return 0;
}
