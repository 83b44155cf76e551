// Package auth makes the transport that reaches one PI Web API site: its
// credentials, its certificate authority, its proxy, and connections that stay
// open. Secrets come from environment variables, are held in memory only, go to
// the site's own host only, and are never part of an error.
//
// Kerberos has its place here and comes later; this package will be the only
// one that imports a Kerberos library.
package auth
