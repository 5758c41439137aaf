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

// SetProjects replaces the projects that IAM lists, names by id: by default one, of the name
// of the region. It does not touch the project whose backups DDS keeps.
func (s *Server) SetProjects(names map[string]string) {
	s.projects.mu.Lock()
	defer s.projects.mu.Unlock()
	s.projects.names = maps.Clone(names)
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

// listProjects lists projects, all of them or those of one name. It knows no pages.
//
// https://support.huaweicloud.com/intl/en-us/api-iam/iam_06_0001.html
func (s *Server) listProjects(r *request) *answer {
	s.projects.mu.Lock()
	defer s.projects.mu.Unlock()
	self := s.URL() + "/v3/projects"
	list := []listedProject{}
	for _, id := range slices.Sorted(maps.Keys(s.projects.names)) {
		if name := s.projects.names[id]; matches(r.query, "name", name) {
			list = append(list, listedProject{
				ID: id, Name: name, DomainID: domainID, ParentID: domainID,
				Enabled: true, Links: links{self + "/" + id},
			})
		}
	}
	return succeed(struct {
		Projects []listedProject `json:"projects"`
		Links    links           `json:"links"`
	}{list, links{self}})
}
