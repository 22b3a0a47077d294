#include "textflag.h"

// The same as entry_linux_amd64.s. A system call leaves its result in R0; R19 is in place of BX.

#define SYS_dup3       24
#define SYS_fcntl      25
#define SYS_openat     56
#define SYS_close      57
#define SYS_fstat      80
#define SYS_prctl      167
#define SYS_getsockopt 209

// In struct stat.
#define DEV  0
#define INO  8
#define MODE 16

// ns; see entry.go.
#define SLACK 5000000

TEXT _rt0_sendwrap_door(SB),NOSPLIT|NOFRAME,$0
	MOVD	$30, R0			// PR_GET_TIMERSLACK
	MOVD	$SYS_prctl, R8
	SVC
	MOVD	$SLACK, R1
	CMP	R1, R0
	BHS	environ			// it is longer; an error is a large number
	MOVD	R0, ·timerSlack(SB)
	MOVD	$29, R0			// PR_SET_TIMERSLACK
	MOVD	$SYS_prctl, R8
	SVC
environ:
	MOVD	0(RSP), R1		// argc
	ADD	$16, RSP, R2
	ADD	R1<<3, R2, R2		// the environment
	MOVD	R2, R3
	MOVD	$0x4f525058414d4f47, R4	// GOMAXPRO
	MOVD	$0x3d53434f52505841, R5	// AXPROCS=
search:
	MOVD	(R3), R0
	CBZ	R0, insert
	ADD	$8, R3
	MOVD	(R0), R6
	CMP	R4, R6
	BNE	search
	MOVD	3(R0), R6
	CMP	R5, R6
	BNE	search
	JMP	_rt0_sendwrap(SB)
insert:
	MOVD	RSP, R3
	SUB	$16, RSP, RSP		// the processor wants it aligned to 16
move:
	MOVD	(R3), R0
	MOVD	R0, -16(R3)
	ADD	$8, R3
	CMP	R2, R3
	BNE	move
	MOVD	$procs<>(SB), R0
	MOVD	R0, -16(R2)
	MOVD	R0, -8(R2)
	MOVD	$1, R0
	MOVW	R0, ·procsAdded(SB)
	JMP	_rt0_sendwrap(SB)

TEXT _rt0_sendwrap(SB),NOSPLIT|NOFRAME,$0
	MOVD	8(RSP), R0		// argv[0]
	CBZ	R0, check
	MOVD	(R0), R0
	MOVD	$0x656474735f61746d, R1	// how RelayName begins
	CMP	R1, R0
	BEQ	relay
check:
	MOVD	$2, R0
	MOVD	$stderr<>(SB), R1
	MOVD	$SYS_fstat, R8
	SVC
	MOVWU	stderr<>+MODE(SB), R2
	AND	$0xf000, R2		// S_IFMT
	MOVD	$0xc000, R3		// S_IFSOCK
	CMP	R3, R2
	BNE	begin

	MOVD	$0, R0
	MOVD	$stdin<>(SB), R1
	MOVD	$SYS_fstat, R8
	SVC
	MOVD	$0, R19			// fd 0 is the same, so that there is nothing to keep
	MOVD	stdin<>+DEV(SB), R2
	MOVD	stderr<>+DEV(SB), R3
	CMP	R3, R2
	BNE	other
	MOVD	stdin<>+INO(SB), R2
	MOVD	stderr<>+INO(SB), R3
	CMP	R3, R2
	BEQ	hide
other:
	MOVD	$2, R0
	MOVD	$1, R1			// SOL_SOCKET
	MOVD	$39, R2			// SO_DOMAIN
	MOVD	$family<>(SB), R3
	MOVD	$length<>(SB), R4
	MOVD	$SYS_getsockopt, R8
	SVC
	MOVWU	family<>(SB), R2
	CMP	$2, R2			// AF_INET
	BEQ	keep
	CMP	$10, R2			// AF_INET6
	BNE	begin
keep:
	MOVD	$2, R0
	MOVD	$1030, R1		// F_DUPFD_CLOEXEC
	MOVD	$3, R2
	MOVD	$SYS_fcntl, R8
	SVC
	CMP	$0, R0
	BLT	hide			// no descriptor is free: fd 0 has to do
	MOVD	R0, R19

hide:
	MOVW	R19, ·stderrAt(SB)
	MOVD	$2, R0
	MOVD	$SYS_close, R8
	SVC
open:
	MOVD	$-100, R0		// AT_FDCWD
	MOVD	$null<>(SB), R1
	MOVD	$2, R2			// O_RDWR
	MOVD	$SYS_openat, R8
	SVC
	CMP	$2, R0
	BEQ	begin
	BLO	open			// fd 0 or 1 was closed; the runtime would do the same
	MOVD	R19, R0			// no /dev/null
	MOVD	$2, R1
	MOVD	$0, R2
	MOVD	$SYS_dup3, R8
	SVC
	MOVD	$2, R2
	MOVW	R2, ·stderrAt(SB)
begin:
	JMP	_rt0_arm64_linux(SB)
relay:
	MOVD	·relayBegin(SB), R26
	MOVD	(R26), R0
	CALL	(R0)			// it does not return
	BRK

TEXT ·entryAddress(SB),NOSPLIT,$0-8
	MOVD	$_rt0_sendwrap(SB), R0
	MOVD	R0, ret+0(FP)
	RET

TEXT ·doorAddress(SB),NOSPLIT,$0-8
	MOVD	$_rt0_sendwrap_door(SB), R0
	MOVD	R0, ret+0(FP)
	RET

DATA procs<>+0(SB)/8, $"GOMAXPRO"
DATA procs<>+8(SB)/4, $"CS=1"
GLOBL procs<>(SB), NOPTR|RODATA, $13
DATA null<>+0(SB)/8, $"/dev/nul"
DATA null<>+8(SB)/1, $"l"
GLOBL null<>(SB), NOPTR|RODATA, $10
DATA length<>+0(SB)/4, $4
GLOBL length<>(SB), NOPTR, $4
GLOBL family<>(SB), NOPTR, $4
GLOBL stdin<>(SB), NOPTR, $144
GLOBL stderr<>(SB), NOPTR, $144
