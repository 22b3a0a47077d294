// Package decide is the decision about a client: which test applies first, and what follows from
// it.
//
// It is pure. The caller brings all that is known about the client, as [Facts]: what the rules of
// the configuration say, what the ledger says, and the limits that hold. [Facts.Decide] is the
// decision when the client arrives, [Facts.Conclude] the one after the greet delay. [Shown.Steps]
// says for each test what it has found. [Recipients.Decide] is the guard's decision about a client
// that has its MTA. None of them takes time, reads a clock, or changes anything.
package decide
