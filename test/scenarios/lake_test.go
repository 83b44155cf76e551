package scenarios_test

import (
	"bytes"
	"database/sql"
	"encoding/csv"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	_ "github.com/duckdb/duckdb-go/v2"
	"github.com/rogpeppe/go-internal/testscript"
)

// sqlWord asks a data folder's tables and prints the rows, a | between columns:
//
//	sql FOLDER QUERY
func sqlWord(ts *testscript.TestScript, neg bool, args []string) {
	wantArgs(ts, neg, args, 2, "sql FOLDER QUERY")
	for _, row := range query(ts, args[0], args[1]) {
		fmt.Fprintln(ts.Stdout(), strings.Join(row, "|"))
	}
}

// alter changes a data folder's tables, as a person with DuckDB's command line does:
//
//	alter FOLDER STATEMENT
func alter(ts *testscript.TestScript, neg bool, args []string) {
	wantArgs(ts, neg, args, 2, "alter FOLDER STATEMENT")
	db, err := sql.Open("duckdb", filepath.Join(ts.MkAbs(args[0]), "lake.duckdb"))
	ts.Check(err)
	defer db.Close()
	_, err = db.Exec(args[1])
	ts.Check(err)
}

// complete wants a data folder to have, of every tag, as many events as a
// simulator with these flags holds in (AFTER, UNTIL]: none lost, none twice.
//
//	complete FOLDER AFTER UNTIL FLAG...
func complete(ts *testscript.TestScript, neg bool, args []string) {
	wantArgs(ts, neg, args, 3, "complete FOLDER AFTER UNTIL FLAG...")
	program := filepath.Join(strings.Split(ts.Getenv("PATH"), ":")[0], "pi-simulator")
	oracle := exec.Command(program, append([]string{"oracle", "--counts", "--after", args[1], "--until", args[2]}, args[3:]...)...)
	var said bytes.Buffer
	oracle.Stderr = &said
	out, err := oracle.Output()
	if err != nil {
		ts.Fatalf("oracle: %v: %s", err, said.String())
	}
	rows, err := csv.NewReader(bytes.NewReader(out)).ReadAll()
	ts.Check(err)
	landed := map[string]string{}
	for _, row := range query(ts, args[0], "SELECT tag_name, count(*) FROM bronze.pi_timeseries GROUP BY 1") {
		landed[row[0]] = row[1]
	}
	total := 0
	var wrong []string
	for _, row := range rows[1:] {
		tag, want := row[0], row[3]
		n, err := strconv.Atoi(want)
		ts.Check(err)
		total += n
		got := landed[tag]
		delete(landed, tag)
		if got == "" {
			got = "0"
		}
		if got != want {
			wrong = append(wrong, fmt.Sprintf("%s: %s events, the server has %s", tag, got, want))
		}
	}
	for tag := range landed {
		wrong = append(wrong, fmt.Sprintf("%s is not on the server", tag))
	}
	slices.Sort(wrong)
	if len(wrong) > 0 {
		ts.Fatalf("%s:\n%s", plural(len(wrong), "tag")+" not as on the server", strings.Join(wrong, "\n"))
	}
	if total == 0 {
		ts.Fatalf("the server has no event in this range: this compares nothing")
	}
	ts.Logf("%d events, as on the server", total)
}

// query returns a query's rows as texts.
func query(ts *testscript.TestScript, folder, text string) [][]string {
	path := filepath.Join(sceneOf(ts).disk.outside(ts, ts.MkAbs(folder)), "lake.duckdb")
	db, err := sql.Open("duckdb", path+"?access_mode=READ_ONLY")
	ts.Check(err)
	defer db.Close()
	rows, err := db.Query(text)
	ts.Check(err)
	defer rows.Close()
	columns, err := rows.Columns()
	ts.Check(err)
	var out [][]string
	for rows.Next() {
		cells, targets := make([]any, len(columns)), make([]any, len(columns))
		for i := range cells {
			targets[i] = &cells[i]
		}
		ts.Check(rows.Scan(targets...))
		row := make([]string, len(columns))
		for i, c := range cells {
			row[i] = fmt.Sprint(c)
		}
		out = append(out, row)
	}
	ts.Check(rows.Err())
	return out
}
