package enginetest

// Sentence is a promise of the landing protocol, and what holds it.
type Sentence struct {
	Section, Text string
	Cases         []string // of this suite, by name
	// Elsewhere names what holds the rest, as what is promised is no engine's to
	// keep: "FOLDER TestName", or a file or folder, from the repository's root.
	Elsewhere []string
	Open      string // what nothing holds yet
}

// Names of cases that hold many sentences.
const (
	lands      = "a batch lands once and moves the watermarks"
	dies       = "an extraction dies at any step"
	discDies   = "a discover dies at any step"
	compDies   = "a consolidation dies at any step"
	bothDies   = "two attempts die at the same step"
	compactsIt = "compaction keeps what counts"
	iAttempts  = "interleaved: two attempts"
	iZombie    = "interleaved: a zombie, its retry and the next run"
	iDiscovers = "interleaved: two discovers and an extraction"
	iCompact   = "interleaved: consolidation, extraction and discover"
	loses      = "of two attempts with one number one loses"
	fenceStops = "a fence stops zombies"
	moved      = "a moved or renamed tag goes on where it was"
	caughtUp   = "what failed or is too much for one batch is caught up"
	twoPipes   = "two pipelines do not see each other"
	bySide     = "tiers and partitions land side by side"
)

// Sentences lists the landing protocol, sentence by sentence. Besides the cases
// that a sentence names, history.go holds at every step of every case: watermarks
// that never go back and never pass what is durable, ranges and events once,
// numbers once, no half batch, order of number, metrics after data.
var Sentences = []Sentence{
	{"Landing", "What PI held when a range was read is in bronze, one row an event.", []string{lands, dies, iZombie}, []string{"test/endtoend TestLifeOfAPlant"}, ""},
	{"Landing", "Events that arrive or change later are the business of reconcile (a later issue; until then the command exits 1 and says so).", nil, []string{"test/scenarios/testdata/by-hand.txtar"}, ""},
	{"The invariant", "A watermark never passes what is not durable, never goes back, and no range of a tag is applied twice.", []string{lands, dies, discDies, compDies, bothDies, iAttempts, iZombie, iDiscovers, iCompact}, nil, ""},
	{"The invariant", "A crash anywhere, then any retry, repair or next run, gives the same rows as no crash.", []string{dies, discDies, compDies, bothDies, iZombie}, []string{"test/endtoend TestKill"}, ""},

	{"Keys", "Pipeline: two targets or bundles may share a catalog. Part of every key below and a column of every table.", []string{twoPipes}, nil, ""},
	{"Keys", "Tag: (pipeline, site, point_id). It survives a rename and a change of the WebID's kind; tag_webid and tag_name are attributes.", []string{moved}, []string{"extractor/task TestAssignRenameAndRecreate"}, ""},
	{"Keys", "Number: a partition's batches are numbered 1, 2, 3… A number is taken when a batch is decided, and once.", []string{lands, loses, iAttempts, iZombie, bothDies}, nil, ""},
	{"Keys", "Epoch: a UUID made when the checkpoint tables are made; part of the token.", []string{"the first claim makes the tables once", "dropped checkpoints stop a run"}, nil, ""},

	{"discover", "1. Claim: the tables belong to this pipeline and epoch.", []string{"the first claim makes the tables once", "dropped checkpoints stop a run"}, nil, ""},
	{"discover", "(Checkpoints but no bronze: stop, too.)", []string{"dropped events stop a run"}, nil, ""},
	{"discover", "(Rows are added by name of column: what somebody added to a table of ours is no matter.)", []string{"columns that somebody added are no matter"}, nil, ""},
	{"discover", "Rows in bronze but no checkpoints (dropped, restored, cloned): stop, say what to do.", []string{"dropped checkpoints stop a run", "restored checkpoints stop a run"}, nil, ""},
	{"discover", "2. Recover, for every partition that ever was: apply what is decided and not applied, in order of number;", []string{bothDies, discDies, moved}, nil, ""},
	{"discover", "then publish whole folders whose number is still free.", []string{"a whole folder is published by whoever comes next", "an attempt is told that its folder was published for it"}, nil, ""},
	{"discover", "3. Assign: it alone reads the manifests. New points of PI that no manifest has join the lightest partition of their site and tier.", nil, []string{"extractor/task TestAssignFirst", "extractor/task TestAssignJoins"}, ""},
	{"discover", "Before a tag gets a new partition, of whichever tier, the old one is fenced: an empty batch is decided under its next number, so that a zombie still reading for it can only lose;", []string{fenceStops, "a fence is one number", iZombie, iDiscovers}, []string{"extractor/task TestAssignMove"}, ""},
	{"discover", "what was decided there before is applied; then the new owner may read the watermark.", []string{bothDies, discDies, moved, iZombie}, nil, ""},
	{"discover", "(The change of owners is one commit; of two that were made from the same one, one is made anew.)", []string{"an outdated assignment changes nothing", iDiscovers}, nil, ""},
	{"discover", "(History is never re-attributed.)", []string{"a run keeps its assignment", "tags are described as their site says"}, nil, ""},
	{"discover", "4. Pin where a tag without a watermark starts: until − backfill − 1 tick, number 0.", []string{lands}, []string{"extractor/task TestAssignFirst"}, ""},
	{"discover", "Pins count while there is no decided row; of two pins the earlier wins.", []string{"of two pins the earlier wins"}, nil, ""},
	{"discover", "5. Record the run: for each site until, and the assignment's instant, in metadata.runs. Every task, attempt and repair of the run takes both from there.", []string{"a run is recorded once", "a run keeps its assignment", discDies}, nil, ""},
	{"discover", "until = min(job start, the server's own clock) − settle (it warns of skew). A --until is used as given.", nil, []string{"extractor/task TestTheEarlierClockCounts", "test/scenarios/testdata/by-hand.txtar"}, ""},
	{"discover", "A server that is not connected, or whose clock is more than a day off, is not believed: then the HTTP Date, else the job's start, and the note says so.", nil, []string{"extractor/task TestWhoseClockCounts", "test/scenarios/testdata/clocks.txtar"}, ""},
	{"discover", "A watermark never begins at an instant that only such a server named. (No watermark is outside of 1970 to a day after now; where an older version wrote one, the run says how to mend it.)", []string{"watermarks out of bounds are mended"}, []string{"extractor/task TestAPoisonedPipelineIsMended"}, ""},

	{"extract", "1. Finish the own partition as in recover.", []string{dies, "a whole folder is published by whoever comes next"}, nil, ""},
	{"extract", "2. Open: watermarks, last number and fences in one statement, one snapshot.", []string{iZombie, iDiscovers, iAttempts}, nil, ""},
	{"extract", "A fence by a later run: stop, this attempt is a zombie.", []string{fenceStops, discDies, compactsIt}, nil, ""},
	{"extract", "Number = last + 1, written into the folder, never recomputed.", []string{lands, loses, iAttempts}, nil, ""},
	{"extract", "3. Each tag whose watermark is before until: (watermark, min(until, watermark + extract.max_window)].", []string{caughtUp, lands}, nil, ""},
	{"extract", "PI is asked from the watermark itself, since servers round bounds; rows at or before the watermark or after the end are dropped here.", nil, []string{"extractor/piwebapi TestEachEventOnce", "test/endtoend TestEveryQuirk"}, ""},
	{"extract", "4. The folder holds the data, each tag's outcome, the number and a batch_id unique to the attempt.", []string{caughtUp}, []string{"extractor/stage TestFolderIsTornUntilSealed"}, ""},
	{"extract", "It is whole only when its own marker says so, and durable before that.", []string{"a torn folder goes once its writer is gone", dies}, []string{"extractor/stage TestSealMakesTheMarkerLastByRenaming"}, ""},
	{"extract", "A marker with events and no files, or after a listing that failed, is never written.", nil, []string{"extractor/stage TestSealRefuses"}, ""},
	{"extract", "A folder is believed as far as it is what was staged: file by file, byte by byte.", []string{"a damaged folder is set aside, and its ranges are read again"}, []string{"extractor/stage TestVerifyFindsAFlippedBit"}, ""},
	{"extract", "5. Publish. 6. Once more from 2, until caught up or 80% of the task's timeout is gone: three days of outage are caught up in pieces.", []string{caughtUp}, []string{"extractor/task TestATaskThatRunsOutOfTimeLeavesTheRest", "test/endtoend TestLifeOfAPlant"}, ""},
	{"consolidate", "Only the first tier's job compacts watermarks and optimizes bronze; a conflict is skipped until next time.", []string{bySide, iCompact}, []string{"test/scenarios/testdata/tiers.txtar"}, ""},
	{"continuous", "A continuous tier: each task loops over its own partition; until is taken anew in each loop; a loop ends by itself.", nil, []string{"extractor/task TestLoop", "test/endtoend TestContinuousTier"}, ""},

	{"Publish", "DuckDB: one transaction: check that the number is still free, data, watermarks, metrics.", []string{loses, dies, bothDies}, nil, ""},
	{"Publish", "DuckDB: one process at a time has the data folder.", nil, []string{"test/scenarios/testdata/running.txtar"}, ""},
	{"Publish", "Decide: append the outcomes as watermark rows, and one sentinel row, with the token.", []string{lands, caughtUp, dies}, nil, ""},
	{"Publish", "Then read back whose batch_id has the number. Ours: go on. Another's: that folder is the batch; ours is thrown away.", []string{loses, "an attempt is told that its folder was published for it", iAttempts}, nil, ""},
	{"Publish", "Nobody's after an error (also a concurrent transaction or a metadata change): the same append again, with backoff.", []string{bySide}, []string{"extractor/engine/spark"}, ""},
	{"Publish", "Nobody's after a success: the table was restored: stop, say what to do.", []string{"restored checkpoints stop a run"}, nil, ""},
	{"Publish", "Apply, in order of number: append the folder's data, then the metrics row that carries its batch_id, each with the token.", []string{bothDies, dies, iZombie}, nil, ""},
	{"Publish", "The metrics row is written only once the data commit is seen. Applied means: a metrics row with the decided batch_id.", []string{dies, bothDies, "metrics"}, nil, ""},
	{"Publish", "Rows of failed attempts and of other tasks carry no number and no token.", []string{"metrics"}, nil, ""},
	{"Publish", "A folder goes when its number is decided by another, or applied.", []string{loses, "a folder that is applied already goes", dies, discDies}, nil, ""},
	{"Publish", "Cleaning up touches only torn folders whose writer cannot be alive: its lease is over or released, or it is an earlier attempt of the same run.", []string{"a torn folder goes once its writer is gone"}, nil, ""},
	{"Publish", "Decided, but folder and rows are gone: an error that names tags and ranges.", []string{"a decided batch that is lost is named"}, nil, ""},
	{"Publish", "A folder that is not what was staged is set aside before it is decided, with an error that names tags and ranges; after that it is as if it were gone.", []string{"a damaged folder is set aside, and its ranges are read again", "a damaged folder after a death at any step"}, []string{"test/scenarios/testdata/damaged.txtar"}, ""},
	{"Publish", "Compaction keeps each tag's greatest watermark and each partition's last sentinel, also of partitions that no longer exist.", []string{compactsIt, fenceStops, bothDies, compDies, iCompact}, nil, ""},
	{"Publish", "Nothing here merges: hundreds of partitions append side by side.", []string{bySide}, nil, ""},
	{"Publish", "A watermark may be ahead of bronze for seconds, never ahead of a whole folder.", []string{dies, bothDies, iAttempts, iZombie, iDiscovers, iCompact}, nil, ""},

	{"Failure", "A tag that fails goes to monitoring.tag_errors; its watermark stays; its neighbours go on.", []string{caughtUp, "metrics"}, nil, ""},
	{"Failure", "At most extract.fail_above of all tags failed: PARTIAL, exit 3. Above that the task fails after landing what it has, and is retried.", []string{caughtUp}, []string{"test/scenarios/testdata/running.txtar"}, ""},
	{"Failure", "A site that is down fails its own tasks only.", nil, []string{"test/endtoend TestOneSiteDown"}, ""},
	{"Failure", "validate counts what was recovered, too.", []string{"what was recovered is counted"}, nil, ""},
	{"Failure", "validate fails when any extraction of the run failed or discover did not finish; it compares what was landed with what PI counts.", []string{"metrics", "completeness", "a run is recorded once"}, []string{"test/endtoend TestOneSiteDown"}, ""},
	{"Every method", "Every method may be called again after any error or crash; a second call after a success changes nothing.", []string{discDies, dies, compDies, "a fence is one number", lands}, nil, ""},
}
