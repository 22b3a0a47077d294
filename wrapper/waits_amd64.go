package wrapper

import "golang.org/x/sys/unix"

// The C library calls these, besides ppoll(2) and pselect6(2).
const sysPoll, sysSelect = unix.SYS_POLL, unix.SYS_SELECT
