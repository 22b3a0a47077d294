package packaging

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sendwrap/tests/lab"
)

// documents are those of a file in YAML, decoded into to, a pointer to a slice.
func documents(t *testing.T, name string, to any) {
	t.Helper()
	lab.Need(t, lab.Lack("/usr/lib/python3/dist-packages/yaml/__init__.py"))
	cmd := exec.Command("python3", "-c",
		"import json, sys, yaml; json.dump(list(yaml.safe_load_all(sys.stdin)), sys.stdout)")
	cmd.Stdin = strings.NewReader(read(t, name))
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(out, to)
	}
	if err != nil {
		t.Fatalf("%s: %v: %s", name, err, &said)
	}
}

// checkConf has sendwrap check a configuration with a password in that file.
func checkConf(t *testing.T, conf, password string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "sendwrap.conf")
	write(t, file, replace(t, conf, "/usr/sbin/sendmail -Am -bs",
		filepath.Join(lab.Dir(), "greeter")), 0o644)
	if !strings.Contains(conf, "password="+password+"\n") {
		t.Errorf("no password=%s in\n%s", password, conf)
	}
	must(t, program(), "check", "-f", file)
}

// The compose file is YAML as docker-compose reads it: what a service names is there, and the
// configuration is right.
func TestCompose(t *testing.T) {
	type service struct {
		Image, Hostname, Pid string
		Network_mode         string
		Command              []string
		Volumes, Secrets     []string
		Configs              []struct{ Source string }
	}
	var files []struct {
		Services map[string]service
		Volumes  map[string]any
		Secrets  map[string]any
		Configs  map[string]struct{ Content string }
	}
	documents(t, "compose.yaml", &files)
	f := files[0]
	for _, name := range []string{"mx1", "mx2"} {
		room, share := f.Services[name], f.Services["share"+name[2:]]
		if room.Hostname != name || room.Command[1] != "listen" || share.Command[1] != "share" ||
			share.Pid != "service:"+name || share.Network_mode != "service:"+name ||
			share.Volumes[0] != room.Volumes[0] || share.Image != room.Image {
			t.Errorf("%s: %+v and %+v", name, room, share)
		}
	}
	for name, s := range f.Services {
		for _, v := range s.Volumes {
			if volume, _, _ := strings.Cut(v, ":"); !has(f.Volumes, volume) {
				t.Errorf("%s: no volume %s", name, v)
			}
		}
		for _, secret := range s.Secrets {
			if !has(f.Secrets, secret) {
				t.Errorf("%s: no secret %s", name, secret)
			}
		}
		for _, c := range s.Configs {
			checkConf(t, f.Configs[c.Source].Content, "/run/secrets/"+s.Secrets[0])
		}
	}
}

func has(m map[string]any, name string) bool {
	_, found := m[name]
	return found
}

// Likewise that of Kubernetes: what a pod mounts is there, and selectors find their pods.
func TestKubernetes(t *testing.T) {
	type labels map[string]string
	var all []struct {
		APIVersion, Kind string
		Metadata         struct{ Name string }
		Data, StringData map[string]string
		Spec             struct {
			Selector struct {
				App         string
				MatchLabels labels
			}
			Template struct {
				Metadata struct{ Labels labels }
				Spec     struct {
					ShareProcessNamespace bool
					Containers            []struct {
						Name         string
						Command      []string
						VolumeMounts []struct{ Name, MountPath, SubPath string }
					}
					Volumes []struct {
						Name      string
						ConfigMap struct{ Name string }
						Secret    struct{ SecretName string }
					}
				}
			}
		}
	}
	documents(t, "kubernetes.yaml", &all)
	files := map[string]string{}  // what a volume has
	pods := map[string]struct{}{} // labels
	for _, d := range all {
		if d.APIVersion == "" || d.Metadata.Name == "" {
			t.Errorf("%s %s: no version or name", d.Kind, d.Metadata.Name)
		}
		for _, m := range []map[string]string{d.Data, d.StringData} {
			for key, text := range m {
				files[d.Kind+"/"+d.Metadata.Name+"/"+key] = text
			}
		}
		if app := d.Spec.Template.Metadata.Labels["app"]; app != "" {
			pods[app] = struct{}{}
			if d.Spec.Selector.MatchLabels["app"] != app {
				t.Errorf("%s does not select its pods", d.Metadata.Name)
			}
		}
	}
	mounted := 0
	for _, d := range all {
		if d.Kind == "Service" {
			if _, found := pods[d.Spec.Selector.App]; !found {
				t.Errorf("service %s selects no pod", d.Metadata.Name)
			}
		}
		for _, c := range d.Spec.Template.Spec.Containers {
			for _, m := range c.VolumeMounts {
				for _, v := range d.Spec.Template.Spec.Volumes {
					_, conf := files["ConfigMap/"+v.ConfigMap.Name+"/"+m.SubPath]
					_, secret := files["Secret/"+v.Secret.SecretName+"/"+m.SubPath]
					if v.Name == m.Name && (conf || secret || v.Name == "ledger") {
						mounted++
					}
				}
			}
			if len(c.VolumeMounts) > 0 && !d.Spec.Template.Spec.ShareProcessNamespace {
				t.Errorf("%s: sessions of other containers cannot be seen", c.Name)
			}
		}
	}
	if mounted != 2*3 {
		t.Errorf("%d mounts are of something that is there; want 6", mounted)
	}
	checkConf(t, files["ConfigMap/sendwrap/sendwrap.conf"], "/etc/sendwrap.password")
}
