package resolve

import "time"

// timetable has all queries, as a heap: the one that is due first is its head. A query knows its
// index, so that it can be moved and removed wherever it is.
type timetable []*Query

func (t timetable) head() *Query {
	if len(t) == 0 {
		return nil
	}
	return t[0]
}

// first is when the head is due; the zero Time if there is none.
func (t timetable) first() time.Time {
	if len(t) == 0 {
		return time.Time{}
	}
	return t[0].due
}

func (t *timetable) add(q *Query) {
	q.index = len(*t)
	*t = append(*t, q)
	t.up(q.index)
}

func (t *timetable) remove(q *Query) {
	i, last := q.index, len(*t)-1
	t.swap(i, last)
	(*t)[last] = nil
	*t = (*t)[:last]
	q.index = -1
	if i < last {
		t.fix((*t)[i])
	}
}

// fix moves a query whose due time has changed.
func (t timetable) fix(q *Query) {
	t.up(q.index)
	t.down(q.index)
}

func (t timetable) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !t[i].due.Before(t[parent].due) {
			return
		}
		t.swap(i, parent)
		i = parent
	}
}

func (t timetable) down(i int) {
	for {
		child := 2*i + 1
		if child >= len(t) {
			return
		}
		if other := child + 1; other < len(t) && t[other].due.Before(t[child].due) {
			child = other
		}
		if !t[child].due.Before(t[i].due) {
			return
		}
		t.swap(i, child)
		i = child
	}
}

func (t timetable) swap(i, j int) {
	t[i], t[j] = t[j], t[i]
	t[i].index, t[j].index = i, j
}
