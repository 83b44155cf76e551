package cli_test

import (
	"encoding/json"
	"testing"

	"github.com/databricks/cli/libs/testserver"
	"github.com/stretchr/testify/require"
)

// TestDoctorOfAWorkspace: what the bundle needs is read from what would be deployed;
// a secret that is not there is red, and nothing else.
func TestDoctorOfAWorkspace(t *testing.T) {
	type answer = map[string]any
	secrets := []answer{}
	w := newWalk(t, func(s *testserver.Server) {
		object := func(body any) testserver.HandlerFunc { return func(testserver.Request) any { return body } }
		s.Handle("GET", "/api/2.0/preview/scim/v2/Me", object(answer{"id": "1", "userName": "tester@databricks.com", "groups": []answer{{"display": "admins"}}}))
		s.Handle("GET", "/api/2.0/preview/scim/v2/Groups", object(answer{"Resources": []answer{}}))
		s.Handle("GET", "/api/2.1/clusters/spark-versions", object(answer{"versions": []answer{{"key": "17.3.x-scala2.13"}}}))
		s.Handle("GET", "/api/2.1/clusters/list-node-types", object(answer{"node_types": []answer{{"node_type_id": "m5d.xlarge", "num_cores": 4}}}))
		s.Handle("GET", "/api/2.1/unity-catalog/catalogs/{name}", object(answer{"name": "main", "owner": "tester@databricks.com"}))
		s.Handle("GET", "/api/2.1/unity-catalog/effective-permissions/{kind}/{name}", object(answer{}))
		s.Handle("GET", "/api/2.0/secrets/list", func(testserver.Request) any { return answer{"secrets": secrets} })
		s.Handle("GET", "/api/2.0/secrets/acls/list", object(answer{"items": []answer{{"principal": "tester@databricks.com", "permission": "MANAGE"}}}))
	})
	w.bundlegen(0, "generate")
	out := w.bundlegen(1, "doctor", "-t", "prod")
	require.Regexp(t, `(?m)^FAIL +secret +the scope has no such key.*\(pi/plant-a\)\n +-> databricks secrets put-secret pi plant-a$`, out)

	secrets = []answer{{"key": "plant-a"}}
	var document struct {
		Green   bool
		Target  string
		Bundles []struct {
			Findings []struct{ Check, Subject, State, What string }
		}
	}
	require.NoError(t, json.Unmarshal([]byte(w.bundlegen(0, "doctor", "-t", "prod", "-o", "json")), &document))
	require.True(t, document.Green)
	require.Equal(t, "prod", document.Target)
	checks := map[string]string{}
	for _, f := range document.Bundles[0].Findings {
		require.Equal(t, "ok", f.State, "%s: %s", f.Check, f.What)
		checks[f.Check] = f.Subject
	}
	require.Equal(t, "pi", checks["secret_acl"])
	require.Equal(t, "17.3.x-scala2.13", checks["runtime"])
	require.Equal(t, "main", checks["catalog"])
	require.Contains(t, w.bundlegen(1, "doctor", "-t", "nowhere"), "allowed: dev, prod")
}
