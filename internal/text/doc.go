// Package text makes texts that come from elsewhere (a server, a file, a
// certificate) fit to be shown to a person.
package text
