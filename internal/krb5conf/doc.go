// Package krb5conf reads the part of Kerberos configuration files (krb5.conf of MIT
// and Heimdal) that a login by ticket needs: the KDCs of realms, the realms of
// hosts, and a few defaults. It skips all else, since the files are shared with
// programs that need it.
package krb5conf
