package main

// measureStart measures how much later the MTA greets because of the program in
// front of it: without any greet delay, for a client that is not known yet.
func measureStart(l *lab) ([]row, error) {
	i, err := l.instance("start", "mta "+l.program("stub"), "greet_delay 0s")
	if err != nil {
		return nil, err
	}
	const greeting = "220 stub "
	direct := peer{name: "none", argv: []string{l.program("stub")}, says: greeting}
	peers := []peer{
		i.peer(greeting),
		{name: goFloor, argv: []string{l.program("floor-go-mta")}, says: greeting},
		{name: cFloor, argv: []string{l.program("floor-c-mta")}, says: greeting},
		direct,
	}
	got, err := l.compare(peers, "PASS", l.client, "")
	if err != nil {
		return nil, err
	}
	added := got.reduce(medianAnswer).minus(direct.name)
	return []row{added.row("start to exec, added to the greeting", "ms").against(added, goFloor)}, nil
}
