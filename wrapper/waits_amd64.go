package wrapper

import "golang.org/x/sys/unix"

// What poll(3) and select(2) also are here.
const sysPoll, sysSelect = unix.SYS_POLL, unix.SYS_SELECT
