// Package shard reads a part of a partition's tags in a process of its own on one
// of the cluster's workers.
//
// The driver splits a batch's ranges by weight into shards of at most
// tags_per_worker tags, and Spark starts `pi-extractor shard` for each one when a
// processor is free. The process reads its Spec, one line of JSON, from standard
// input and writes one Arrow stream to standard output: the events, and in the
// column "closing" of the very last row its Trailer. A stream without a trailer is
// torn, whatever the process's exit code is, and nothing of it counts.
//
// A shard is bound to its driver: it ends when its output pipe is dead, and when
// the driver has sent no heartbeat for HeartbeatTimeout. A shard that Spark started
// again (PI_EXTRACTOR_RETRY=1 in its environment) waits for GracePeriod before its
// first request, so that its predecessor no longer uses its share of the site's
// budget.
//
// If a site fails as a whole, or a shard lacks what it needs for the site, such as
// a secret, the stream is whole and the trailer has a Failure: a retry by Spark
// would not help. The process fails only if its stream is of no use.
package shard
