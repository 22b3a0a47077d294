package config

import (
	"reflect"
	"strings"
	"testing"

	"sendwrap/allowlist/rule"
)

// TestClientKeys: a client line accepts each limit of a network, with the same value as the
// directive of that name.
func TestClientKeys(t *testing.T) {
	values := []string{"7s", "7/7m", "7", "7", "7", "7/7m", "7", "7", "2s"}
	if len(clientKeys) != len(clientLimits) || len(clientKeys) != len(values)+1 {
		t.Fatalf("%d names, %d limits, %d values", len(clientKeys), len(clientLimits), len(values))
	}
	for i, key := range clientKeys[:len(values)] { // the last, dnsbl, is no limit
		limit := clientLimits[i]
		if limit.key != rule.Key(i) || limit.key.String() != key {
			t.Errorf("%s: key %d is %s", key, limit.key, limit.key)
		}
		find(t, key)
		c, errs := load(t, "client 192.0.2.0/24 "+key+"="+values[i]+"\n"+key+" "+values[i]+"\n")
		if errs != nil {
			t.Fatal(errs)
		}
		limits := c.Networks.Match(client).Limits
		if !limits.IsSet(limit.key) {
			t.Errorf("%s: not set", key)
		}
		got, want := *Default(), *c
		got.Networks = c.Networks
		apply(&got, limits)
		if want.StressDelay = got.StressDelay; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: a client line sets %+v\nthe directive %+v", key, got, want)
		}
		c, errs = load(t, "client 192.0.2.0/24 "+key+"=0")
		if set := c.Networks.Match(client).Limits.IsSet(limit.key); errs != nil || !set {
			t.Errorf("%s=0: %q, set: %v", key, errs, set)
		}
	}
	// The others are those that a line sets for the wide networks that it holds.
	for k := rule.Key(len(clientKeys)); k < rule.Keys; k++ {
		if s := k.String(); !strings.HasPrefix(s, "wide ") {
			t.Errorf("%s is no key of a client line", s)
		}
	}
}

// apply changes c to what applies to a client with limits of its own.
func apply(c *Config, limits rule.Limits) {
	c.GreetDelay = limits.TimeOr(rule.GreetDelay, c.GreetDelay)
	c.ClientRate = limits.RateOr(rule.ClientRate, c.ClientRate)
	c.ClientConns = limits.CountOr(rule.ClientConns, c.ClientConns)
	c.BadRcpts = limits.CountOr(rule.BadRcpts, c.BadRcpts)
	c.BadRcptsPercent = limits.CountOr(rule.BadRcptsPercent, c.BadRcptsPercent)
	c.BadRcptsTotal = limits.RateOr(rule.BadRcptsTotal, c.BadRcptsTotal)
	c.MaxRcpts = limits.CountOr(rule.MaxRcpts, c.MaxRcpts)
	c.MaxResets = limits.CountOr(rule.MaxResets, c.MaxResets)
	c.BadRcptDelay = limits.TimeOr(rule.BadRcptDelay, c.BadRcptDelay)
}
