// Package spark keeps the tables in Delta, through the Spark session of the
// launcher that started this process. All logic is here; the launcher has three
// verbs and none of its own.
//
// # The pipe
//
// The launcher starts `pi-extractor TASK --engine=spark --pipe=R,W …`: R is the
// number of a file descriptor from which this process reads, W of one to which
// it writes. Messages are lines of JSON, UTF-8, one object each, all with
// "v": 1. The launcher speaks first:
//
//	{"v":1,"hello":{"spark":"4.0.1","python":"3.11.7","remote":false,"driver":"10.0.0.4"}}
//
// remote says whether the session is one of Spark Connect; driver is the address
// at which workers reach this machine. Then this process asks, one request at a
// time, with ids that count up from 1:
//
//	{"v":1,"id":1,"verb":"sql","statement":"SELECT …","args":{"name":"value"}}
//	{"v":1,"id":2,"verb":"append","query":"SELECT …","args":{},"table":"c.s.t","app":"a","version":7,"metadata":"…"}
//	{"v":1,"id":3,"verb":"shards","specs":["…","…"],"lanes":2,"schema":"tag_webid STRING, …","select":["tag_webid","…"],"path":"…/data"}
//
// sql runs one statement with named parameters (:name; texts, numbers, booleans,
// nulls; args may be left out) and gives its rows. append runs a query and appends its rows to a
// Delta table by name of column, in one commit, with txnAppId, txnVersion and
// userMetadata; an app of "" appends without a token. shards runs one
// `pi-extractor shard` for each spec through mapInArrow, in lanes partitions
// (spec i in partition i mod lanes, one after the other), each with its spec as
// one line on its standard input; the Arrow streams have the schema; select are
// SQL expressions over it; the result is written as zstd Parquet to path, which
// must not be there. A lane with a process that fails is run again by Spark, all
// its processes then with PI_EXTRACTOR_RETRY=1 in their environment.
//
// An answer is one or more lines with the request's id:
//
//	{"v":1,"id":1,"busy":true}                      every 5 s while it works
//	{"v":1,"id":1,"rows":[["a",1,null],…]}          any number of times
//	{"v":1,"id":1,"done":true}                      last
//	{"v":1,"id":1,"error":{"type":"…","message":"…"}}   last, instead of done
//
// Values in rows are texts, numbers, booleans and nulls: statements cast
// whatever else there is. Neither side ever waits without a bound: this process
// takes a silence of a minute for a dead launcher, the launcher takes a line
// that it does not understand for the end, answers with an error of type
// ProtocolError under the id that is due, and closes the pipe. A pipe that ends,
// ends the other side.
package spark
