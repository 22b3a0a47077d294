package resolve

import (
	"reflect"
	"testing"
	"time"
)

// A server that has left 20 queries in a row is asked after the others, for a while.
func TestSickServer(t *testing.T) {
	a, b := serve(t, "127.0.0.1", false, silent), serve(t, "127.0.0.2", false, listed)
	l := resolver(t, a, b).patiently()
	hurry := func(q *Query) {
		l.expire(q)
		l.run(func() bool { return q.index < 0 })
	}
	for range maxMissed {
		hurry(l.Ask(Question{"a.example", A}, awhile(), func(Answer) {}))
	}
	l.received([]int{maxMissed, maxMissed}, a, b)
	for range 10 {
		l.ask("b.example", A, awhile())
	}
	if got := count(a, b); !reflect.DeepEqual(got, []int{maxMissed, maxMissed + 10}) {
		t.Errorf("asked %v times", got)
	}

	// After 30 s it is the first again, and after one more miss the last.
	list := l.source.list
	later := time.Now().Add(maxSick + time.Minute)
	if got := list.inOrder(later); got[0] != list.servers[0] {
		t.Errorf("after %v it is still %v", maxSick, got[0].addr)
	}
	list.servers[0].missed(later)
	if got := list.inOrder(later); got[0] != list.servers[1] {
		t.Error("after one more miss it is the first")
	}
	list.servers[0].answered()
	if got := list.inOrder(later); got[0] != list.servers[0] {
		t.Error("after an answer it is the last")
	}
}

// One server alone is asked however it is.
func TestSickServerAlone(t *testing.T) {
	s := serve(t, "127.0.0.1", false, listed)
	l := resolver(t, s).patiently()
	for range 2 * maxMissed {
		l.source.list.servers[0].missed(time.Now())
	}
	if got := l.ask("a.example", A, awhile()); got.Result != Found {
		t.Errorf("got %+v", got)
	}
	if l.source.list.servers[0].unanswered != 0 {
		t.Error("an answer is not noted")
	}
}

func TestRotate(t *testing.T) {
	a := serve(t, "127.0.0.1", false, listed)
	b := serve(t, "127.0.0.2", false, listed)
	c := serve(t, "127.0.0.3", false, listed)
	l := resolver(t, a, b, c).patiently()
	for _, rotate := range []bool{false, true} {
		l.source.list.rotate = rotate
		for range 9 {
			l.ask("a.example", A, awhile())
		}
		want := []int{9, 0, 0}
		if rotate {
			want = []int{12, 3, 3}
		}
		if got := count(a, b, c); !reflect.DeepEqual(got, want) {
			t.Errorf("rotate %v: asked %v times, want %v", rotate, got, want)
		}
	}
}
