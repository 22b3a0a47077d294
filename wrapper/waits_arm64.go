package wrapper

import "golang.org/x/sys/unix"

// This machine has no others.
const sysPoll, sysSelect = unix.SYS_PPOLL, unix.SYS_PSELECT6
