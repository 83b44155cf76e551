// Package auth makes the transport to one PI Web API site: its credentials, its
// certificate authority, its proxy, and connections that are kept open. Secrets come
// from environment variables, are held in memory only, go to the site's own host
// only, and are never part of an error.
//
// Kerberos is SPNEGO with a ticket in each request, from a keytab or a password.
// Only this package imports a Kerberos library. It never falls back to NTLM.
package auth
