package sleep_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/internal/sleep"
)

func TestFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		require.NoError(t, sleep.For(t.Context(), time.Hour))
		require.Equal(t, time.Hour, time.Since(began))
		require.NoError(t, sleep.For(t.Context(), -time.Hour))
		require.Equal(t, time.Hour, time.Since(began))

		ctx, cancel := context.WithCancelCause(t.Context())
		cause := errors.New("the driver is silent")
		time.AfterFunc(time.Minute, func() { cancel(cause) })
		require.ErrorIs(t, sleep.For(ctx, time.Hour), cause)
		require.Equal(t, time.Hour+time.Minute, time.Since(began))
	})
}
