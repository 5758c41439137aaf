package main_test

import (
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"dds-backup-delete/internal/lambdatest"
)

// modern is a TLS front of a server that offers HTTP/2, and notes what it was spoken to in.
type modern struct {
	*httptest.Server

	mu        sync.Mutex
	protocols []string
}

// proxyTo returns a proxy to the server at an address. It keeps the Host header, which is signed.
func proxyTo(t *testing.T, address string) *httputil.ReverseProxy {
	t.Helper()
	target, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host
	}}
}

func startModern(t *testing.T, address string) *modern {
	t.Helper()
	proxy := proxyTo(t, address)
	m := new(modern)
	m.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.mu.Lock()
		m.protocols = append(m.protocols, r.Proto)
		m.mu.Unlock()
		proxy.ServeHTTP(w, r)
	}))
	m.EnableHTTP2 = true
	m.StartTLS()
	t.Cleanup(m.Close)
	return m
}

// onlyHTTP1 reports whether there were calls, all of them in HTTP/1.1.
func (m *modern) onlyHTTP1() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.protocols) > 0 && !slices.ContainsFunc(m.protocols, func(p string) bool { return p != "HTTP/1.1" })
}

// authority writes the certificate of a front, which is the same for all, and returns the path.
func (m *modern) authority(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: m.Certificate().Raw})
	if err := os.WriteFile(path, block, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestEveryCloudIsSpokenToInHTTP1(t *testing.T) {
	behind := start(t, nil)
	dds, bus := startModern(t, behind.dds.URL()), startModern(t, behind.bus.URL)
	w := start(t, nil, "DDS_ENDPOINT="+dds.URL, "AWS_ENDPOINT_URL_EVENTBRIDGE="+bus.URL, "SSL_CERT_FILE="+dds.authority(t))
	w.invoke(t, []byte(`{"backup_id":"`+sample(0)+`"}`))
	if len(behind.dds.Jobs()) != 1 || len(behind.bus.Taken()) != 1 || !dds.onlyHTTP1() || !bus.onlyHTTP1() {
		t.Errorf("jobs %+v, entries %+v, DDS in %v, the bus in %v", behind.dds.Jobs(), behind.bus.Taken(), dds.protocols, bus.protocols)
	}
}

// AWS_CA_BUNDLE is for AWS alone, as in the SDKs.
func TestAWSCABundle(t *testing.T) {
	behind := start(t, nil)
	dds, bus := startModern(t, behind.dds.URL()), startModern(t, behind.bus.URL)
	w := start(t, nil, "AWS_ENDPOINT_URL_EVENTBRIDGE="+bus.URL, "AWS_CA_BUNDLE="+bus.authority(t))
	w.invoke(t, []byte(`{"backup_id":"`+sample(0)+`"}`))
	if len(behind.bus.Taken()) != 1 {
		t.Error("the bus was not reached")
	}
	w = start(t, nil, "DDS_ENDPOINT="+dds.URL, "AWS_CA_BUNDLE="+bus.authority(t))
	w.brief(t, []byte(`{"backup_id":"`+sample(0)+`"}`))
	if calls := behind.dds.Calls(); len(calls) != 1 { // that of the start of behind
		t.Errorf("DDS was trusted: %+v", calls)
	}
}

func TestNetworkFaultsAtStart(t *testing.T) {
	for _, fault := range []string{"AWS_CA_BUNDLE=/nowhere/ca.pem", "SSL_CERT_FILE=/nowhere/ca.pem", "HTTPS_PROXY=http://user:canary%zz@proxy", "https_proxy=ftp://canary"} {
		_, err := lambdatest.Start(t.Context(), lambdatest.Options{Binary: binary, Env: []string{
			"HUAWEICLOUD_SDK_AK=x", "HUAWEICLOUD_SDK_SK=x", "HUAWEICLOUD_SDK_PROJECT_ID=p", "DDS_REGION=cn-north-4", "OUTCOME_SINK=" + bus, fault,
		}})
		name, value, _ := strings.Cut(fault, "=")
		var failed *lambdatest.InitError
		if !errors.As(err, &failed) || !strings.Contains(failed.Stdout, name+": ") || strings.Contains(failed.Stdout, "canary") ||
			(strings.HasPrefix(value, "/") && !strings.Contains(failed.Stdout, value)) {
			t.Errorf("%s: error %v", fault, err)
		}
	}
}
