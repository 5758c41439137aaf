package config_test

import (
	"fmt"
	"strings"
	"testing"

	"dds-backup-delete/internal/config"
	"dds-backup-delete/internal/secret"
)

func TestLedgerInValkey(t *testing.T) {
	for name, test := range map[string]struct {
		ledger, password string
		want             config.ValkeyServer
		text             string
	}{
		"all left out": {"redis://10.0.0.7", "", config.ValkeyServer{Address: "10.0.0.7:6379"}, "redis://10.0.0.7:6379/0?prefix=dds-backup-delete"},
		"user and password": {"rediss://ledger:p%40ss-in-ledger@[::1]:7000/", "", config.ValkeyServer{
			Address: "[::1]:7000", TLS: true, Username: "ledger", Password: secret.New("p@ss-in-ledger"),
		}, "rediss://[::1]:7000/0?prefix=dds-backup-delete"},
		"password of a variable": {"redis://ledger@h", "pass-of-variable", config.ValkeyServer{
			Address: "h:6379", Username: "ledger", Password: secret.New("pass-of-variable"),
		}, "redis://h:6379/0?prefix=dds-backup-delete"},
		"password alone": {"redis://:pass-alone@h/12", "", config.ValkeyServer{
			Address: "h:6379", Password: secret.New("pass-alone"), Database: 12,
		}, "redis://h:6379/12?prefix=dds-backup-delete"},
	} {
		t.Run(name, func(t *testing.T) {
			setenv(t, valid(map[string]string{"LEDGER": test.ledger, "LEDGER_PASSWORD": test.password, "LEDGER_ALLOW_VOLATILE": "true"}))
			c, err := config.Load()
			if err != nil {
				t.Fatal(err)
			}
			test.want.Prefix, test.want.AllowVolatile = "dds-backup-delete", true
			if want := (config.Ledger{Kind: config.Valkey, Durable: true, Server: test.want}); c.Ledger != want {
				t.Errorf("%+v, want %+v", c.Ledger, want)
			}
			if c.Ledger.String() != test.text {
				t.Errorf("%s, want %s", c.Ledger, test.text)
			}
			text := fmt.Sprintf("%v %+v %#v", c.Ledger, c.Ledger.Server, c.Ledger)
			if password := test.want.Password.Reveal(); password != "" && (strings.Contains(text, password) || password == secret.Redact(password)) {
				t.Errorf("the password is shown: %s", text)
			}
		})
	}
}

func TestFaultsOfALedgerInValkey(t *testing.T) {
	for name, test := range map[string]struct{ ledger, password, want string }{
		"no host":       {"redis://:hidden-word@/0", "", "LEDGER: \"redis://…\" is not the address of a server; expected redis://<host>:<port>"},
		"two hosts":     {"redis://h1:6379,h2:6379", "", "LEDGER: \"redis://h1:6379,h2:6379\" is not the address of a server; expected redis://<host>:<port>"},
		"a bad escape":  {"redis://u:hidden-word%zz@h", "", "LEDGER: \"redis://…\" is not the address of a server"},
		"a port":        {"redis://h:70000", "", "LEDGER: \"redis://h:70000\" is not the address of a server"},
		"a fragment":    {"redis://u:hidden-word@h/0#x", "", "LEDGER: \"redis://…\" is not the address of a server"},
		"a database":    {"redis://u:hidden-word@h/orders", "", "LEDGER: \"orders\" is not the number of a database; expected for example redis://"},
		"two passwords": {"redis://u:hidden-word@h", "hidden-other", "LEDGER_PASSWORD: set, and LEDGER has a password, too; expected one of them"},
		"no password":   {"redis://user@h", "", "LEDGER_PASSWORD: not set, and LEDGER has a user without a password; expected the password of the user"},
		"a line end":    {"redis://user@h", "hidden-word\n", "LEDGER_PASSWORD: contains a line end at its end"},
		"a query":       {"redis://u:hidden-word@h?db=1", "", "LEDGER: what follows the question mark is not known; expected nothing or a prefix"},
		"a prefix":      {"redis://u:hidden-word@h?prefix={a}", "", "LEDGER: \"{a}\" is not a prefix of keys; expected up to 64 letters"},
		"another one":   {"valkey://u:hidden-word@h", "", "LEDGER: \"valkey://…\" is not a ledger; expected memory, dynamodb://<table>, redis://<host>:<port>"},
	} {
		t.Run(name, func(t *testing.T) {
			setenv(t, valid(map[string]string{"LEDGER": test.ledger, "LEDGER_PASSWORD": test.password}))
			_, err := config.Load()
			if err == nil || !strings.HasPrefix(err.Error(), test.want) || strings.Contains(err.Error(), "hidden-") {
				t.Errorf("error %v, want %s", err, test.want)
			}
		})
	}
}
