package ddstest

import (
	"maps"
	"slices"
	"sync"
)

// domainID is the account that owns every project.
const domainID = "d78cbac186b744899480f25bd022f468"

type projects struct {
	mu    sync.Mutex
	names map[string]string // by id
}

// SetProjects replaces the projects that IAM lists, names by id: by default one, with the name of
// the region. It does not touch the project whose backups DDS keeps.
func (p *projects) SetProjects(names map[string]string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.names = maps.Clone(names)
}

// listedProject is a project in the list.
type listedProject struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	DomainID    string `json:"domain_id"`
	ParentID    string `json:"parent_id"`
	Description string `json:"description"`
	Enabled     bool   `json:"enabled"`
	IsDomain    bool   `json:"is_domain"`
	Links       links  `json:"links"`
}

type links struct {
	Self string `json:"self"`
}

// listProjects lists all projects, or those with one name, without pages.
//
// https://support.huaweicloud.com/intl/en-us/api-iam/iam_06_0001.html
func (p *projects) listProjects(r *request) *answer {
	p.mu.Lock()
	defer p.mu.Unlock()
	self := "http://" + r.Host + "/v3/projects"
	list := []listedProject{}
	for _, id := range slices.Sorted(maps.Keys(p.names)) {
		if r.matches("name", p.names[id]) {
			list = append(list, listedProject{
				ID: id, Name: p.names[id], DomainID: domainID, ParentID: domainID, Enabled: true, Links: links{self + "/" + id},
			})
		}
	}
	return succeed(map[string]any{"projects": list, "links": links{self}})
}
