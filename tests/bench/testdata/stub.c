/* The smallest MTA: greets and goes. */
#include <unistd.h>

int main(void)
{
	static const char greeting[] = "220 stub ESMTP\r\n";

	return write(1, greeting, sizeof greeting - 1) != sizeof greeting - 1;
}
