#include "textflag.h"

// entry.go says what this does. A system call leaves its result in AX, an error as a negative
// number.

#define SYS_close      3
#define SYS_fstat      5
#define SYS_getsockopt 55
#define SYS_fcntl      72
#define SYS_prctl      157
#define SYS_openat     257
#define SYS_dup3       292

// In struct stat.
#define DEV  0
#define INO  8
#define MODE 24

// ns; see entry.go.
#define SLACK 5000000

// The stack holds argc, the pointers of argv and a NULL, those of the environment and a NULL.
TEXT _rt0_sendwrap_door(SB),NOSPLIT|NOFRAME,$0
	MOVL	$30, DI			// PR_GET_TIMERSLACK
	MOVL	$SYS_prctl, AX
	SYSCALL
	CMPQ	AX, $SLACK
	JCC	environ			// it is longer; an error is a large number
	MOVQ	AX, ·timerSlack(SB)
	MOVL	$29, DI			// PR_SET_TIMERSLACK
	MOVL	$SLACK, SI
	MOVL	$SYS_prctl, AX
	SYSCALL
environ:
	MOVQ	0(SP), CX		// argc
	LEAQ	16(SP)(CX*8), CX	// the environment
	MOVQ	CX, DX
search:
	MOVQ	(DX), AX
	TESTQ	AX, AX
	JEQ	insert
	ADDQ	$8, DX
	MOVQ	$0x4f525058414d4f47, BX	// GOMAXPRO
	CMPQ	BX, (AX)
	JNE	search
	MOVQ	$0x3d53434f52505841, BX	// AXPROCS=
	CMPQ	BX, 3(AX)
	JNE	search
	JMP	_rt0_sendwrap(SB)
insert:
	MOVQ	SP, DX			// move all before the environment by two pointers
	SUBQ	$16, SP
move:
	MOVQ	(DX), AX
	MOVQ	AX, -16(DX)
	ADDQ	$8, DX
	CMPQ	DX, CX
	JNE	move
	LEAQ	procs<>(SB), AX
	MOVQ	AX, -16(CX)
	MOVQ	AX, -8(CX)		// an odd number would misalign SP
	MOVL	$1, ·procsAdded(SB)
	JMP	_rt0_sendwrap(SB)

TEXT _rt0_sendwrap(SB),NOSPLIT|NOFRAME,$0
	MOVQ	8(SP), AX		// argv[0]
	TESTQ	AX, AX
	JEQ	check
	MOVQ	$0x656474735f61746d, BX	// how RelayName begins
	CMPQ	BX, (AX)
	JEQ	relay
check:
	MOVL	$2, DI
	LEAQ	stderr<>(SB), SI
	MOVL	$SYS_fstat, AX
	SYSCALL
	MOVL	stderr<>+MODE(SB), AX
	ANDL	$0xf000, AX		// S_IFMT
	CMPL	AX, $0xc000		// S_IFSOCK
	JNE	begin

	XORL	DI, DI
	LEAQ	stdin<>(SB), SI
	MOVL	$SYS_fstat, AX
	SYSCALL
	XORL	BX, BX			// the same as fd 0: no copy is needed
	MOVQ	stdin<>+DEV(SB), AX
	CMPQ	AX, stderr<>+DEV(SB)
	JNE	other
	MOVQ	stdin<>+INO(SB), AX
	CMPQ	AX, stderr<>+INO(SB)
	JEQ	hide
other:
	MOVL	$2, DI
	MOVL	$1, SI			// SOL_SOCKET
	MOVL	$39, DX			// SO_DOMAIN
	LEAQ	family<>(SB), R10
	LEAQ	length<>(SB), R8
	MOVL	$SYS_getsockopt, AX
	SYSCALL
	MOVL	family<>(SB), AX
	CMPL	AX, $2			// AF_INET
	JEQ	keep
	CMPL	AX, $10			// AF_INET6
	JNE	begin
keep:
	MOVL	$2, DI
	MOVL	$1030, SI		// F_DUPFD_CLOEXEC
	MOVL	$3, DX
	MOVL	$SYS_fcntl, AX
	SYSCALL
	TESTL	AX, AX
	JLT	hide			// no descriptor is free: use fd 0
	MOVL	AX, BX

hide:
	MOVL	BX, ·stderrAt(SB)
	MOVL	$2, DI
	MOVL	$SYS_close, AX
	SYSCALL
open:
	MOVL	$-100, DI		// AT_FDCWD
	LEAQ	null<>(SB), SI
	MOVL	$2, DX			// O_RDWR
	MOVL	$SYS_openat, AX
	SYSCALL
	CMPL	AX, $2
	JEQ	begin
	JCS	open			// fd 0 or 1 was closed: this opens it, as the runtime would
	MOVL	BX, DI			// no /dev/null
	MOVL	$2, SI
	XORL	DX, DX
	MOVL	$SYS_dup3, AX
	SYSCALL
	MOVL	$2, ·stderrAt(SB)
begin:
	JMP	_rt0_amd64_linux(SB)
relay:
	ANDQ	$~15, SP
	XORPS	X15, X15		// Go code expects zero there
	MOVQ	·relayBegin(SB), DX
	MOVQ	(DX), AX
	CALL	AX			// it does not return
	INT	$3

TEXT ·entryAddress(SB),NOSPLIT,$0-8
	LEAQ	_rt0_sendwrap(SB), AX
	MOVQ	AX, ret+0(FP)
	RET

TEXT ·doorAddress(SB),NOSPLIT,$0-8
	LEAQ	_rt0_sendwrap_door(SB), AX
	MOVQ	AX, ret+0(FP)
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
