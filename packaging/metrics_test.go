package packaging

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/ledger"
)

// scraped is a site whose metrics are served as sendwrap-metrics.service does: by a user without
// any capability, who is in the ledger's group.
type scraped struct {
	conf, ledger string
	at           netip.AddrPort
}

func scrape(t *testing.T) scraped {
	t.Helper()
	lab.NeedRoot(t)
	s := scraped{conf: door(t, "mta /bin/true", "dnsbl list.example as=secret",
		"dnsbl_threshold 1", "resolver 127.0.0.1")}
	s.ledger = filepath.Join(filepath.Dir(s.conf), "state", "ledger")
	h := ledger.Handle{Options: ledger.Options{Path: s.ledger, Clients: 1024}}
	if err := h.Open(); err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	share(t, filepath.Dir(s.ledger))
	for _, dir := range []string{filepath.Dir(s.conf), filepath.Dir(filepath.Dir(s.conf))} {
		if err := os.Chmod(dir, 0o755); err != nil { // as /etc
			t.Fatal(err)
		}
	}
	if err := h.Run(func(tx *ledger.Tx) {
		for i := range 10 {
			tx.Spoke(time.Duration(i) * 700 * time.Millisecond)
		}
		tx.Count(10)
		client := netip.MustParseAddrPort("192.0.2.1:1024") // its process is root's, and lives
		tx.Enter(ledger.Arrival{Client: client, Network: netip.MustParsePrefix("192.0.2.1/32")},
			ledger.Self())
	}); err != nil {
		t.Fatal(err)
	}
	var err error
	if s.at, err = lab.FreePort(netip.MustParseAddr("127.0.0.1")); err != nil {
		t.Fatal(err)
	}
	setpriv := lab.NeedProgram(t, "setpriv")
	start(t, setpriv, "--reuid=65534", "--regid=65534", "--groups="+fmt.Sprint(metricsGroup),
		"--no-new-privs", "--inh-caps=-all", "--ambient-caps=-all", "--bounding-set=-all",
		program(), "metrics", "-f", s.conf, "-listen", s.at.String())
	lab.Eventually(t, "somebody listens", func() bool {
		_, err := get(s.url())
		return err == nil
	})
	return s
}

// metricsGroup is the group that the unit calls sendwrap.
const metricsGroup = 64017

// share carries out the lines of the unit that let the group read the ledger in a directory.
func share(t *testing.T, dir string) {
	t.Helper()
	lines := regexp.MustCompile(`(?m)^#\t((?:chgrp|chmod) .*)$`).
		FindAllStringSubmatch(read(t, "sendwrap-metrics.service"), -1)
	if len(lines) != 3 {
		t.Fatalf("the unit has %q", lines)
	}
	for _, line := range lines {
		text := strings.ReplaceAll(line[1], "/var/lib/sendwrap", dir)
		text = strings.ReplaceAll(text, "chgrp sendwrap", "chgrp "+fmt.Sprint(metricsGroup))
		must(t, "sh", "-c", text)
	}
}

func (s scraped) url() string { return "http://" + s.at.String() + "/metrics" }

// start starts a daemon, which ends with the test.
func start(t *testing.T, argv ...string) {
	t.Helper()
	output := filepath.Join(t.TempDir(), "output")
	d, err := lab.Start(exec.Command(argv[0], argv[1:]...), output)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		d.KillAll()
		if t.Failed() {
			text, _ := os.ReadFile(output)
			t.Logf("%s:\n%s", argv[0], text)
		}
	})
}

func get(from string) (string, error) {
	answer, err := http.Get(from)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s\n%s", answer.Status, text)
	}
	return string(text), err
}

func needPrometheus(t *testing.T) (prometheus, promtool string) {
	t.Helper()
	lab.Need(t, lab.NotUnpacked("prometheus"))
	bin := lab.Unpacked("prometheus/usr/bin")
	return filepath.Join(bin, "prometheus"), filepath.Join(bin, "promtool")
}

// The rules are right, and each alert fires on a bad day and on no other.
func TestPrometheusRules(t *testing.T) {
	_, promtool := needPrometheus(t)
	for _, args := range [][]string{
		{"check", "rules", "prometheus-rules.yml"},
		{"test", "rules", "prometheus-rules-test.yml"},
	} {
		if out, err := exec.Command(promtool, args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %q: %v\n%s", args, err, out)
		}
	}
	rules, tests := read(t, "prometheus-rules.yml"), read(t, "prometheus-rules-test.yml")
	for _, alert := range regexp.MustCompile(`alert: (\w+)`).FindAllStringSubmatch(rules, -1) {
		fires := regexp.MustCompile(`alertname: ` + alert[1] + `\n +exp_alerts`)
		if !fires.MatchString(tests) {
			t.Errorf("no test says when %s fires", alert[1])
		}
	}
}

// Whatever the dashboard and the rules name is in a scrape, with its labels, and Prometheus
// understands each expression. It gets the histogram with all its buckets.
func TestPrometheusScrapes(t *testing.T) {
	prometheus, promtool := needPrometheus(t)
	s := scrape(t)
	text, err := get(s.url())
	if err != nil {
		t.Fatal(err)
	}
	check := exec.Command(promtool, "check", "metrics")
	check.Stdin = strings.NewReader(text)
	if out, err := check.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
	checkSelectors(t, text)
	if strings.Contains(text, "list.example") || !strings.Contains(text, `list="secret"`) {
		t.Error("a list is not there by its name alone")
	}

	at, err := lab.FreePort(netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	conf := filepath.Join(dir, "prometheus.yml")
	write(t, conf, fmt.Sprintf("global: {scrape_interval: 1s, evaluation_interval: 1s}\n"+
		"rule_files: [%s]\n"+
		"scrape_configs: [{job_name: sendwrap, static_configs: [{targets: ['%v']}]}]\n",
		absolute(t, "prometheus-rules.yml"), s.at), 0o644)
	start(t, prometheus, "--config.file="+conf, "--storage.tsdb.path="+filepath.Join(dir, "tsdb"),
		"--web.listen-address="+at.String(), "--enable-feature=native-histograms")
	ask := func(expr string) (values []string) {
		answer, err := get("http://" + at.String() + "/api/v1/query?query=" + url.QueryEscape(expr))
		if err != nil {
			return nil
		}
		var found struct {
			Status string
			Data   struct{ Result []struct{ Value [2]any } }
		}
		if err := json.Unmarshal([]byte(answer), &found); err != nil || found.Status != "success" {
			t.Fatalf("%s: %v\n%s", expr, err, answer)
		}
		values = []string{}
		for _, r := range found.Data.Result {
			values = append(values, fmt.Sprint(r.Value[1]))
		}
		return values
	}
	lab.Eventually(t, "Prometheus has the ledger's state", func() bool {
		return slices.Equal(ask("sendwrap_ledger_usable"), []string{"1"})
	})
	native := `histogram_count(sendwrap_delay_seconds{event="spoke"})`
	if got := ask(native); !slices.Equal(got, []string{"10"}) {
		t.Errorf("%s is %q", native, got)
	}
	grafana := strings.NewReplacer("$__rate_interval", "5m", "$__range", "1h", "$instance", ".*")
	for _, target := range dashboard(t) {
		if ask(grafana.Replace(target.Expr)) == nil {
			t.Errorf("Prometheus does not understand %s", target.Expr)
		}
	}
	lab.Eventually(t, "it knows the rules", func() bool {
		text, _ := get("http://" + at.String() + "/api/v1/rules")
		return strings.Contains(text, "SendwrapNobodyPasses") &&
			!strings.Contains(text, `"health":"err"`)
	})
}

// The user that reads cannot write, the group is the only one that may read, and a scrape sees a
// ledger that has replaced the one before.
func TestMetricsUser(t *testing.T) {
	s := scrape(t)
	text, err := get(s.url())
	if err != nil || !strings.Contains(text, "sendwrap_ledger_usable 1") ||
		!strings.Contains(text, `sendwrap_sessions{state="waiting"} 1`) {
		t.Fatalf("%v\n%s", err, text)
	}
	if st, err := os.Stat(s.ledger); err != nil || st.Mode().Perm() != 0o640 {
		t.Errorf("%v, %v", st.Mode(), err)
	}
	if err := os.Remove(s.ledger); err != nil {
		t.Fatal(err)
	}
	lab.Eventually(t, "the ledger is gone", func() bool {
		text, _ := get(s.url())
		return strings.Contains(text, "sendwrap_ledger_usable 0")
	})
	if _, err := os.Stat(s.ledger); err == nil {
		t.Error("it has made a ledger")
	}
	h := ledger.Handle{Options: ledger.Options{Path: s.ledger, Clients: 2048}}
	if err := h.Open(); err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	lab.Eventually(t, "there is another ledger", func() bool {
		text, _ := get(s.url())
		return strings.Contains(text, "sendwrap_networks_limit 2048")
	})
}
