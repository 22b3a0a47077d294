// Package setup puts sendwrap in front of a Debian's MTA, and takes it away again.
//
// A [Plan] is a list of steps: files to write and commands to run. [Site.Plan] makes it from what
// is found on the machine, or says why it cannot. What [Plan.Print] prints is what [Plan.Do] does.
//
// Before Do changes anything, it copies each file of the plan, old and new, into a directory beside
// the ledger. Before each step it writes into a journal there how to take that step back, and waits
// until the disk has it. So [Undo] finds all that was started, wherever a Do has ended, and takes
// it back, the last step first. It can itself be interrupted, and typed again: a file that is as it
// was stays so, and each command may run twice. The journal goes last.
package setup
