package piwebapi

// Held is how many points and bytes the lists hold.
func (l *Lists) Held() (points, bytes int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.points, l.bytes
}

// Lists are those of a Client.
func (c *Client) Lists() *Lists { return c.lists }
