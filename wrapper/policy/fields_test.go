package policy

import (
	"fmt"
	"hash/fnv"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/dnsbl"
)

// fill gives each field below v another value than zero, and each time another one.
func fill(t *testing.T, v reflect.Value, n *int64) {
	t.Helper()
	*n++
	if p, ok := v.Addr().Interface().(*[]netip.Prefix); ok {
		*p = []netip.Prefix{netip.MustParsePrefix("64:ff9b::/96"),
			netip.MustParsePrefix("2001:db8::/32")}
		return
	}
	if p, ok := v.Addr().Interface().(*[]netip.AddrPort); ok {
		*p = []netip.AddrPort{netip.MustParseAddrPort("192.0.2.53:53"),
			netip.MustParseAddrPort("[fe80::1%eth0]:5353")}
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i), n)
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(t, v.Index(i), n)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(t, v.Index(0), n)
		fill(t, v.Index(1), n)
	case reflect.String:
		v.SetString(fmt.Sprint("text ", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(1 + *n%30)
	case reflect.Uint8, reflect.Uint16:
		v.SetUint(1)
	case reflect.Float64:
		v.SetFloat(float64(*n) / 8)
	default:
		t.Fatalf("no value for a %v", v.Type())
	}
}

func filled(t *testing.T) Settings {
	var s Settings
	var n int64
	fill(t, reflect.ValueOf(&s).Elem(), &n)
	s.DNSBLWelcome = -s.DNSBLWelcome // the one that must not be above 0
	return s
}

func encoded(s Settings) string {
	var c coder
	s.fields(&c)
	if c.failed {
		return "failed"
	}
	return string(c.written)
}

// Every field of the settings is read back as it was written.
func TestFieldsAll(t *testing.T) {
	for _, want := range []Settings{filled(t), Default()} {
		var got Settings
		c := coder{reading: true, text: encoded(want)}
		got.fields(&c)
		if c.failed || c.text != "" || !reflect.DeepEqual(got, want) {
			t.Errorf("failed: %v; left: %q\n got %+v\nwant %+v", c.failed, c.text, got, want)
		}
	}
}

// TestFieldsNoneForgotten changes one field after the other: each must change what is written.
func TestFieldsNoneForgotten(t *testing.T) {
	whole := encoded(filled(t))
	var each func(v reflect.Value, name string, s *Settings)
	each = func(v reflect.Value, name string, s *Settings) {
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				each(v.Field(i), name+"."+v.Type().Field(i).Name, s)
			}
			return
		case reflect.Array:
			for i := range v.Len() {
				each(v.Index(i), fmt.Sprint(name, "[", i, "]"), s)
			}
			return
		}
		before := reflect.New(v.Type()).Elem()
		before.Set(v)
		v.SetZero()
		if encoded(*s) == whole {
			t.Errorf("Settings%s is not written", name)
		}
		v.Set(before)
	}
	s := filled(t)
	each(reflect.ValueOf(&s).Elem(), "", &s)
}

// shape is that of the fields, limits and defaults of this Version. If they change, so must the
// Version: an older program would read other values into its fields, and the defaults of an older
// one would hold after an upgrade.
const shape = 0x6cda197e43bb5272

func TestVersionIsOfThisShape(t *testing.T) {
	h := fnv.New64a()
	var describe func(of reflect.Type, name string)
	describe = func(of reflect.Type, name string) {
		fmt.Fprintln(h, name, of.Kind())
		if of.Kind() == reflect.Slice {
			describe(of.Elem(), name+"[]")
		}
		if of.Kind() == reflect.Struct && of.PkgPath() != "net/netip" {
			for i := range of.NumField() {
				describe(of.Field(i).Type, name+"."+of.Field(i).Name)
			}
		}
	}
	describe(reflect.TypeFor[Settings](), "")
	describe(reflect.TypeFor[Source](), "")
	for k := range rule.Keys {
		fmt.Fprintln(h, k)
	}
	fmt.Fprintln(h, Kinds, actions, denials, knowings, modes, mtaStderrs, logTargets)
	fmt.Fprintf(h, "%x\n", encoded(Default()))
	fmt.Fprintln(h, v4.fanout(0), v4.fanout(1), v6.fanout(0), v6.fanout(1), limitsPer)
	if got := h.Sum64(); got != shape || Version != 3 {
		t.Errorf("the shape is %#x; if policies of a released version have another, "+
			"count up Version", got)
	}
}

// Values out of their bounds are neither written nor read.
func TestFieldsBounds(t *testing.T) {
	for name, change := range map[string]func(s *Settings){
		"no program":     func(s *Settings) { s.MTA = nil },
		"unknown choice": func(s *Settings) { s.OnPregreet = 3 },
		"negative":       func(s *Settings) { s.ClientConns = -1 },
		"too long":       func(s *Settings) { s.GreetDelay = mostDelay + 1 },
		"wide":           func(s *Settings) { s.CountBy.V4 = 33 },
		"three widths":   func(s *Settings) { s.Wide = append(s.Wide, s.Wide[0]) },
		"IPv4":           func(s *Settings) { s.NAT64[0] = netip.MustParsePrefix("10.0.0.0/8") },
		"host bits":      func(s *Settings) { s.NAT64[0] = netip.MustParsePrefix("2001::1/32") },
		"load":           func(s *Settings) { s.RefuseLoad = -1 },
		"welcome":        func(s *Settings) { s.DNSBLWelcome = 1 },
		"weight":         func(s *Settings) { s.Lists[1].Sites[1].Weight = dnsbl.MaxWeight + 1 },
		"low weight":     func(s *Settings) { s.Lists[1].Sites[1].Weight = -dnsbl.MaxWeight - 1 },
		"long zone": func(s *Settings) {
			s.Lists[0].Zone = strings.Repeat("x", dnsbl.MaxZone+1)
		},
		"no resolver": func(s *Settings) { s.Resolvers[1] = netip.AddrPort{} },
		"long text":   func(s *Settings) { s.Teaser = strings.Repeat("x", maxTexts+1) },
	} {
		s := filled(t)
		change(&s)
		text := encoded(s)
		c := coder{reading: true, text: text}
		new(Settings).fields(&c)
		if text != "failed" && !c.failed {
			t.Errorf("%s: is written and read", name)
		}
	}
}
