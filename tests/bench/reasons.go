package main

// reasons say why a process for one client makes each system call. Go's runtime makes those that
// begin with "Go".
var reasons = map[string]string{}
