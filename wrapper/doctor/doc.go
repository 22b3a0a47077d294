// Package doctor looks at the machine, the configuration and the ledger for what would lose mail,
// refuse honest mail, or keep sendwrap from its work, although sendwrap.conf is right. It changes
// nothing.
//
// complaints is the table of all that it knows: each row has a key, what follows from the fault,
// and the function that looks for it. One file has those of one subject. A function returns nothing
// if it cannot look, for lack of rights for example: what is not seen is taken to be right.
package doctor
