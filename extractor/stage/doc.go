// Package stage writes a batch to disk before it is published: Parquet files of its
// events, and one marker with everything else. The folder is the write-ahead log of
// landing, so its rules are those of a log:
//
//   - a folder is whole only if it has its marker, and the marker is made (by
//     rename) only after every file before it was synced to disk;
//   - the marker holds the batch's number and every tag's outcome, so that any
//     later process can publish the batch without reading from PI again;
//   - the marker holds the name, size and digest of every data file, as its writer
//     knows them, and a digest of itself: a folder that differs from what was staged
//     (Verify) is set aside, since PI can be read again;
//   - a folder without a marker is torn: nothing in it is ever read.
//
// A folder is at ROOT/PIPELINE/PARTITION/NUMBER-BATCH_ID/, and one that was set
// aside at ROOT/PIPELINE/set-aside/PARTITION/NUMBER-BATCH_ID/. Its data are the
// files data-*.parquet, written by Writer, and data/*.parquet, written by Spark. If
// several processes share ROOT, a lease next to the folder holds until when its writer
// may be running: a torn folder without a lease in force is dead.
package stage
