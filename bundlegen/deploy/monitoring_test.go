package deploy

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/databricks/databricks-sdk-go/service/dashboards"
	"github.com/databricks/databricks-sdk-go/service/sql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// watch returns a project alerts and a dashboard, and emits it again.
func (p *project) watch(t *testing.T) {
	t.Helper()
	p.cfg.Monitoring.Warehouse = "0123456789abcdef"
	p.cfg.Monitoring.Emails = []string{"pi@example.com"}
	p.grow(t, 0)
}

// What watches passes the CLI as strictly as the jobs do, settles at once, and
// has the names of its target, also in the files that the CLI does not look into.
func TestMonitoringIsDeployed(t *testing.T) {
	for _, c := range []struct {
		target, schema, pipeline, title string
		pause                           sql.SchedulePauseStatus
		runAs                           string
	}{
		{"dev", "`pi_production`.`dev_monitoring`", "'osipi_connector.dev'", "[dev tester] osipi_connector (dev)", sql.SchedulePauseStatusPaused, ""},
		{"prod", "`pi_production`.`monitoring`", "'osipi_connector.prod'", "osipi_connector (prod)", sql.SchedulePauseStatusUnpaused, "11111111-2222-3333-4444-555555555555"},
	} {
		t.Run(c.target, func(t *testing.T) {
			f := newFake(t)
			p := newProject(t, 30)
			p.watch(t)
			cli := CLI{}
			require.NoError(t, cli.Validate(t.Context(), p.dir, c.target))
			require.NoError(t, cli.Deploy(t.Context(), p.dir, c.target, true, nil))
			settled := func() {
				t.Helper()
				changes, err := cli.Plan(t.Context(), p.dir, c.target)
				require.NoError(t, err)
				require.Regexp(t, "^0 to add, 0 to change, 0 to delete", changes.String())
			}
			settled()

			sent := f.sent("POST", "/api/2.0/alerts")
			require.Len(t, sent, 3)
			for _, body := range sent {
				var alert sql.AlertV2
				require.NoError(t, json.Unmarshal(body, &alert))
				assert.Equal(t, "0123456789abcdef", alert.WarehouseId)
				assert.Contains(t, alert.QueryText, c.schema)
				assert.Contains(t, alert.QueryText, c.pipeline)
				assert.Equal(t, c.pause, alert.Schedule.PauseStatus)
				if c.runAs != "" {
					require.NotNil(t, alert.RunAs)
					assert.Equal(t, c.runAs, alert.RunAs.ServicePrincipalName)
				} else {
					assert.Nil(t, alert.RunAs, "it runs as who deploys")
				}
				assert.Equal(t, "pi@example.com", alert.Evaluation.Notification.Subscriptions[0].UserEmail)
				assert.InDelta(t, 1, alert.Evaluation.Threshold.Value.DoubleValue, 0)
			}
			sent = f.sent("POST", "/api/2.0/lakeview/dashboards")
			require.Len(t, sent, 1)
			var dashboard dashboards.Dashboard
			require.NoError(t, json.Unmarshal(sent[0], &dashboard))
			assert.Equal(t, c.title, dashboard.DisplayName)
			assert.Contains(t, dashboard.SerializedDashboard, c.schema)
			assert.Contains(t, dashboard.SerializedDashboard, c.pipeline)

			job := f.created(t)
			assert.Equal(t, []string{"pi@example.com"}, job.EmailNotifications.OnFailure)
			assert.Equal(t, []string{"pi@example.com"}, job.EmailNotifications.OnDurationWarningThresholdExceeded)
			assert.True(t, job.NotificationSettings.NoAlertForSkippedRuns)
			require.Len(t, job.Health.Rules, 1)

			f.forget()
			p.grow(t, 1)
			require.NoError(t, cli.Deploy(t.Context(), p.dir, c.target, true, nil))
			assert.Empty(t, f.sent("POST", "/api/2.0/alerts"), "a tag more is nothing to them")
			assert.Empty(t, f.sent("POST", "/api/2.0/lakeview/dashboards"))

			p.cfg.Monitoring.MinCompleteness = 0.5
			p.grow(t, 0)
			changes, err := cli.Plan(t.Context(), p.dir, c.target)
			require.NoError(t, err)
			assert.Equal(t, []Action{{"update", "alerts.osipi_connector_completeness"}, {"update", "dashboards.osipi_connector_monitoring"}, {"update", "jobs." + orchestrator}}, changes.Actions)
			require.NoError(t, cli.Deploy(t.Context(), p.dir, c.target, true, nil))
			settled()

			f.forget()
			require.NoError(t, cli.Destroy(t.Context(), p.dir, c.target, true))
			for _, r := range f.requests {
				assert.NotContains(t, r.path, "unity-catalog", "data stays")
			}
		})
	}
}

// In a region the bundle has a name of its own, and its rows the key of all: what
// watches asks for the key that the tasks are given, on the warehouse of the region.
func TestMonitoringOfARegion(t *testing.T) {
	file := strings.Replace(pipelineFile, "    data_server: PISRV1\n", "    region: eu-west-1\n", 1)
	file = strings.Replace(file, "{service_principal: 1", "{regions: {eu-west-1: {warehouse: fedcba9876543210}}, service_principal: 1", 1)
	for target, warehouse := range map[string]string{"dev": "0123456789abcdef", "prod": "fedcba9876543210"} {
		t.Run(target, func(t *testing.T) {
			f := newFake(t)
			p := newProjectOf(t, file+"monitoring: {warehouse: 0123456789abcdef}\n", 9)
			p.cfg = p.cfg.InRegion("eu-west-1")
			p.dir = p.cfg.BundleDir()
			p.grow(t, 0)
			cli := CLI{}
			require.NoError(t, cli.Validate(t.Context(), p.dir, target))
			require.NoError(t, cli.Deploy(t.Context(), p.dir, target, true, nil))

			job := f.created(t)
			assert.Contains(t, job.Name, "osipi_connector_eu-west-1_orchestrator")
			var key string
			for _, argument := range job.Tasks[0].PythonWheelTask.Parameters {
				if name, value, _ := strings.Cut(argument, "="); name == "--pipeline" {
					key = "'" + value + "'"
				}
			}
			assert.Equal(t, "'osipi_connector."+target+"'", key)
			sent := append(f.sent("POST", "/api/2.0/alerts"), f.sent("POST", "/api/2.0/lakeview/dashboards")...)
			require.Len(t, sent, 4)
			for _, body := range sent {
				var asks struct {
					WarehouseID string `json:"warehouse_id"`
				}
				require.NoError(t, json.Unmarshal(body, &asks))
				assert.Equal(t, warehouse, asks.WarehouseID)
				assert.Contains(t, strings.ReplaceAll(string(body), `\u0027`, "'"), "pipeline = "+key)
			}
		})
	}
}
