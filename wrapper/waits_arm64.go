package wrapper

import "golang.org/x/sys/unix"

// Here poll(3) and select(2) are nothing else than these.
const sysPoll, sysSelect = unix.SYS_PPOLL, unix.SYS_PSELECT6
