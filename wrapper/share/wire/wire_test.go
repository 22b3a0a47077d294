package wire

import (
	"bytes"
	"testing"
)

// Settings arrive as they are, up to the size of a packet. Larger ones are refused, not cut.
func TestSettings(t *testing.T) {
	own, others, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	theirs, err := Take(others)
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	large := Settings{Name: "mx1", CA: bytes.Repeat([]byte{'x'}, 32<<10)}
	if err := own.SendSettings(large); err != nil {
		t.Fatal(err)
	}
	if got, err := theirs.ReceiveSettings(); err != nil || !bytes.Equal(got.CA, large.CA) {
		t.Errorf("%d bytes of a certificate, %v; want %d", len(got.CA), err, len(large.CA))
	}
	large.CA = bytes.Repeat([]byte{'x'}, 48<<10)
	if err := own.SendSettings(large); err == nil {
		t.Error("settings are sent that have no place in a packet")
	}
}
