package report

import (
	"bytes"
	"encoding/json"
	"html"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/decide"
)

// seen is what a page's script says of the page.
type seen struct {
	Width, Window  int
	Back           string
	Bars, Outside  int
	Curve          float64
	Rows, Sections int
	Black, Tall    int // bars without a colour, rows of a wide table that are broken
}

// looks is the script that a test puts into a page, which has none.
const looks = `<script>
const all = (what) => [...document.querySelectorAll(what)];
const box = document.querySelector("svg").getBoundingClientRect();
document.documentElement.dataset.seen = JSON.stringify({
  Width: document.documentElement.scrollWidth, Window: innerWidth,
  Back: getComputedStyle(document.body).backgroundColor,
  Bars: all("rect[x]").filter((r) => r.getBoundingClientRect().height > 0).length,
  Black: all("rect").filter((r) => getComputedStyle(r).fill === "rgb(0, 0, 0)").length,
  Tall: all(".scroll tr").filter((r) => r.getBoundingClientRect().height > 40).length,
  Outside: all("rect[x], text").filter((r) => { const b = r.getBoundingClientRect();
    return b.left < box.left - 1 || b.right > box.right + 1 || r.matches("rect") &&
      (b.top < box.top - 1 || b.bottom > box.bottom + 1); }).length,
  Curve: document.querySelector("polyline").getBoundingClientRect().height,
  Rows: all("tr").length, Sections: all("h2").length });
</script></body>`

// browser runs Chromium without a window, and returns what it writes.
func browser(t *testing.T, width int, dark bool, args ...string) []byte {
	t.Helper()
	program := lab.NeedProgram(t, "chromium-headless-shell")
	scheme := "1"
	if dark {
		scheme = "0"
	}
	home := t.TempDir()
	cmd := exec.CommandContext(t.Context(), program, append([]string{"--no-sandbox",
		"--disable-gpu", "--hide-scrollbars", "--no-pdf-header-footer",
		"--host-resolver-rules=MAP * ~NOTFOUND", "--user-data-dir=" + home,
		"--window-size=" + strconv.Itoa(width) + ",1700",
		"--blink-settings=preferredColorScheme=" + scheme}, args...)...)
	cmd.Env = append(os.Environ(), "HOME="+home, "XDG_RUNTIME_DIR="+home)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	cmd.WaitDelay = time.Minute
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, &said)
	}
	return out.Bytes()
}

// The page is looked at in a real browser: on a phone and on a desk, light and dark, printed.
func TestHTMLInBrowser(t *testing.T) {
	r := readLogs(t, putWeek(t))
	var b bytes.Buffer
	if err := r.HTML(&b); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	page := put(t, filepath.Join(dir, "page.html"), b.Bytes(), weekEnd)
	policy := regexp.MustCompile(`(?s)<meta http-equiv="Content-Security-Policy".*?>`)
	watched := policy.ReplaceAllString(b.String(), "")
	if watched == b.String() {
		t.Error("the page has no policy against scripts")
	}
	watched = strings.Replace(watched, "</body>", looks, 1)
	watchedPage := put(t, filepath.Join(dir, "watched.html"), []byte(watched), weekEnd)
	attribute := regexp.MustCompile(`data-seen="([^"]*)"`)
	backs := map[string]bool{}
	for _, width := range []int{390, 1200} {
		for _, dark := range []bool{false, true} {
			dom := browser(t, width, dark, "--dump-dom", "file://"+watchedPage)
			m := attribute.FindSubmatch(dom)
			var s seen
			if m == nil || json.Unmarshal([]byte(html.UnescapeString(string(m[1]))), &s) != nil {
				t.Fatalf("the script has said nothing:\n%s", dom)
			}
			backs[s.Back] = true
			if s.Window != width || s.Width > width || s.Bars < 40 || s.Outside > 0 ||
				s.Curve < 50 || s.Rows < 50 || s.Sections < 8 || s.Black > 0 || s.Tall > 0 {
				t.Errorf("%d wide, dark %v: %+v", width, dark, s)
			}
		}
	}
	for _, v := range decide.Verdicts() {
		if !strings.Contains(style, "."+v.String()+" { fill: ") {
			t.Errorf("%v has no colour", v)
		}
	}
	if len(backs) != 2 {
		t.Errorf("the backgrounds are %v; want one for light and one for dark", backs)
	}

	for _, dark := range []bool{false, true} {
		shot := filepath.Join(dir, "shot.png")
		browser(t, 900, dark, "--screenshot="+shot, "file://"+page)
		f, err := os.Open(shot)
		if err != nil {
			t.Fatal(err)
		}
		image, err := png.Decode(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		colours := map[[3]uint32]bool{}
		for y := range image.Bounds().Dy() {
			for x := range image.Bounds().Dx() {
				r, g, b, _ := image.At(x, y).RGBA()
				colours[[3]uint32{r, g, b}] = true
			}
		}
		corner, _, _, _ := image.At(2, 2).RGBA()
		if len(colours) < 20 || (corner < 0x8000) != dark {
			t.Errorf("dark %v: %d colours, the corner is %#x", dark, len(colours), corner)
		}
	}
	printed := filepath.Join(dir, "page.pdf")
	browser(t, 900, false, "--print-to-pdf="+printed, "file://"+page)
	if text, err := os.ReadFile(printed); err != nil || !bytes.HasPrefix(text, []byte("%PDF-")) {
		t.Errorf("printed: %v", err)
	}
}
