/*
 * The smallest C program that waits for a client: polls fd 0, then exits.
 * Built with -DMTA="/path" it looks once and becomes that program instead.
 */
#include <poll.h>
#include <unistd.h>

int main(void)
{
	struct pollfd p = { .fd = 0, .events = POLLIN };
#ifdef MTA
	poll(&p, 1, 0);
	execl(MTA, MTA, (char *)0);
	return 111;
#else
	poll(&p, 1, -1);
	return 0;
#endif
}
