// Package status is how a pipeline is: its last runs, how far each tier and site is
// behind, the tags that failed, how complete the tables are, and what is
// unfinished. It has the queries and reads their answers; callers run them. It is pure.
package status
