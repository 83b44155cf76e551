// Package forecast says how long a run of a job takes and what it costs. It is
// pure. It rests on the constants of package constants, all of which pipeline.yml
// can replace, and on a table of list prices (prices.go): none was measured on
// your PI server or in your workspace until `bundlegen calibrate` has done so, and
// until then a forecast orders alternatives better than it predicts a bill.
//
// The formula, with constants by their names. All times are in seconds.
//
//	total       = start-up + discover + extract + consolidate + validate
//
//	start-up    = 2 · start, for the orchestrator's cluster and then those of the
//	              extraction; 1 · start on a single cluster
//	start       = startup_classic + install_cluster      cold machines
//	              startup_pool + install_cluster         from a pool with enough idle machines
//	              startup_serverless + install_serverless
//	discover    = discover_fixed + pages · pi_request, of the largest site, pages of
//	              pi_points_per_page
//	consolidate = consolidate + events · append_per_event
//	validate    = validate_fixed + Σ (partitions · pi_request + sampled tags · pi_tag) / at once,
//	              of all sites, at once = min(connections, pi_threads)
//
// A run reads the events of its window: the cadence, or a multiple of it where
// runs are longer than that, since a start is skipped while a run goes on. A
// window longer than extract.max_window is read in b batches.
//
// One batch of a partition of n tags that expects e events of each:
//
//	width  = what a call holds: URL and items bound it
//	         min(pi_url_bytes / bytes of a WebID, items_per_call / (e · pi_items_headroom + pi_items_spare))
//	pages  = ⌈e / items_per_call⌉
//	k      = ⌈n / width⌉ calls, rounded up to a multiple of the connections c while
//	         each has pi_least_tags_per_call tags, times pages
//	call   = pi_request + n · pages / k · pi_tag
//	alone  = max(⌈k / c⌉ · call, (k - c) / requests per second + call)
//
// The PI server works on pi_threads calls at once, whichever partitions make
// them, and all partitions of a site share its request budget:
//
//	bound  = max(⌈Σk / pi_threads⌉ · mean call, Σ events / pi_values_per_second,
//	             Σk / requests per second of the site)
//	PI     = pi_request + b · (1 + pi_retry_share) · max(alone, bound)
//	land   = b · batch_statements · spark_statement
//	         + events · (stage_per_event / cores + append_per_event)
//
// The first pi_request is the one that signs in. Cores are those of all the
// partition's workers; on serverless those of one machine, whose executors
// cannot reach the PI server. Then
//
//	extract = the slowest partition's PI + land, and the expected value of what
//	          is done again: P(any attempt fails or loses a machine) · (retry_wait + extract / 2)
//
// where an attempt fails with task_failures, and each spot worker is lost with
// spot_losses_per_hour. On a single cluster the shards of all partitions share
// its cores, one a core, and partitions_side_by_side partitions its driver.
//
// More extractions than compute.max_concurrent_tasks run in waves: each further
// one adds its start and its extraction. A loop of a continuous tier is its
// extraction alone, on clusters that are up all the time.
//
// Cost is machines from the moment they are asked for and DBUs from the moment a
// cluster is ready: drivers and the orchestrator on demand, workers at the spot
// share; a pool's idle machines for the whole month; serverless by its tasks'
// hours. What is done again is paid again.
package forecast
