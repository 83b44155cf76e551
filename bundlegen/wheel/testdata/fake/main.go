// Command fake stands in for pi-extractor: it tells what it was given, and ends
// as FAKE_EXIT says.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"
)

func main() {
	fmt.Printf("out %q password=%q\n", os.Args[1:], os.Getenv("PLANT_PASSWORD"))
	fmt.Fprintln(os.Stderr, "err: \xff not UTF-8, and no line end follows")
	fmt.Fprint(os.Stderr, "last words")
	if os.Getenv("FAKE_WAIT") != "" {
		signals := make(chan os.Signal, 1)
		signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
		fmt.Println("\nready")
		fmt.Println("got", <-signals)
	}
	code, _ := strconv.Atoi(os.Getenv("FAKE_EXIT"))
	os.Exit(code)
}
