package admin

import "testing"

// The output of nft for an element, with several versions and sets.
func TestElement(t *testing.T) {
	const set = "table inet sendwrap {\n\tset blocked4 {\n\t\ttype ipv4_addr\n" +
		"\t\tflags interval,timeout\n\t\t"
	for _, tt := range []struct{ said, network, left, owner string }{
		{`elements = { 192.0.2.0/25 timeout 1h expires 59m59s896ms comment "192.0.2.0/24" }`,
			"192.0.2.0/25", "59m59s", "192.0.2.0/24"},
		{"elements = { 192.0.2.9 timeout 1d2h expires 1d1h59m }",
			"192.0.2.9", "1d1h59m", "192.0.2.9"},
		{"elements = { 192.0.2.9 timeout 1s expires 12ms }", "192.0.2.9", "12ms", "192.0.2.9"},
		{"elements = { 192.0.2.9-192.0.2.17 }", "192.0.2.9-192.0.2.17", "", "192.0.2.9-192.0.2.17"},
		{"elements = { }", "", "", ""},
		{"", "", "", ""},
	} {
		network, left, owner := element(set + tt.said + "\n\t}\n}\n")
		if network != tt.network || left != tt.left || owner != tt.owner {
			t.Errorf("%s: %q, %q, %q; want %q, %q, %q",
				tt.said, network, left, owner, tt.network, tt.left, tt.owner)
		}
	}
}
