package enginetest

// cases lists the suite's cases. Their names are what Sentences and Caught go by.
var cases = []testCase{
	{name: "a batch lands once and moves the watermarks", run: landsOnce},
	{name: "what failed or is too much for one batch is caught up", run: windows},

	{name: "of two attempts with one number one loses", core: true, run: sameNumber},
	{name: "an attempt is told that its folder was published for it", run: publishedForIt},
	{name: "a fence stops zombies", core: true, run: zombies},
	{name: "a fence is one number", run: fences},
	{name: "a whole folder is published by whoever comes next", core: true, run: wholeFolder},
	{name: "a torn folder goes once its writer is gone", run: tornFolder},
	{name: "a folder that is applied already goes", run: cameBack},
	{name: "a damaged folder is set aside, and its ranges are read again", core: true, run: damagedFolder},
	{name: "a damaged folder after a death at any step", run: damagedThenDead},
	{name: "tiers and partitions land side by side", core: true, run: sideBySide},

	{name: "a moved or renamed tag goes on where it was", run: moves},
	{name: "a run keeps its assignment", run: assignedThen},
	{name: "of two pins the earlier wins", run: pinned},
	{name: "an outdated assignment changes nothing", core: true, run: raced},
	{name: "a run is recorded once", run: recordedOnce},
	{name: "watermarks out of bounds are mended", core: true, run: mended},
	{name: "tags are described as their site says", run: described},

	{name: "compaction keeps what counts", core: true, run: compacts},
	{name: "metrics", run: metrics},
	{name: "completeness", run: completeness},
	{name: "what was recovered is counted", run: recoveredCounts},
	{name: "two pipelines do not see each other", run: twoPipelines},

	{name: "an extraction dies at any step", run: extractionDies},
	{name: "two attempts die at the same step", run: bothDie},
	{name: "a discover dies at any step", run: discoverDies},
	{name: "a consolidation dies at any step", run: compactionDies},
	{name: "a decided batch that is lost is named", run: lostBatch},

	{name: "interleaved: two attempts", run: attemptsInterleaved},
	{name: "interleaved: a zombie, its retry and the next run", run: zombieInterleaved},
	{name: "interleaved: two discovers and an extraction", run: discoversInterleaved},
	{name: "interleaved: consolidation, extraction and discover", run: consolidationInterleaved},

	{name: "restored checkpoints stop a run", core: true, run: restoredCheckpoints},
	{name: "dropped checkpoints stop a run", own: true, run: droppedCheckpoints},
	{name: "dropped events stop a run", own: true, run: droppedBronze},
	{name: "columns that somebody added are no matter", own: true, run: addedColumns},
	{name: "the first claim makes the tables once", own: true, run: firstClaim},
}
