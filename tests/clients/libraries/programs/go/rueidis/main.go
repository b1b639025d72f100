// rueidis MODE PORT…: rueidis as scenario.py asks it to.
//
// Its cache needs CLIENT TRACKING, which Flotilla does not have, and is off.
package main

import (
	"context"
	"os"
	"strconv"
	"time"

	"github.com/redis/rueidis"
	"tests/protocol"
)

var background = context.Background()

type client struct {
	rueidis.Client
	watching rueidis.DedicatedClient
	release  func()
}

func connect(mode string, addresses []string) (rueidis.Client, error) {
	option := rueidis.ClientOption{InitAddress: addresses, DisableCache: true, ForceSingleClient: mode == "plain"}
	if mode == "sentinel" {
		option.Sentinel = rueidis.SentinelOption{MasterSet: "mymaster"}
	}
	return rueidis.NewClient(option)
}

func integers(results []rueidis.RedisResult) ([]string, error) {
	replies := []string{}
	for _, result := range results {
		value, err := result.AsInt64()
		if err != nil {
			return nil, err
		}
		replies = append(replies, strconv.FormatInt(value, 10))
	}
	return replies, nil
}

func text(result rueidis.RedisResult) ([]string, error) {
	value, err := result.ToString()
	if rueidis.IsRedisNil(err) {
		return []string{"nil"}, nil
	}
	return []string{value}, err
}

func (c *client) Incr(key string) ([]string, error) {
	return integers([]rueidis.RedisResult{c.Do(background, c.B().Incr().Key(key).Build())})
}

func (c *client) Pipeline(key string, count int) ([]string, error) {
	commands := rueidis.Commands{}
	for i := 0; i < count; i++ {
		commands = append(commands, c.B().Incr().Key(key).Build())
	}
	return integers(c.DoMulti(background, commands...))
}

func (c *client) Transaction(one, other string) ([]string, error) {
	dedicated, release := c.Dedicate()
	defer release()
	results := dedicated.DoMulti(background, c.B().Multi().Build(), c.B().Incr().Key(one).Build(),
		c.B().Incr().Key(other).Build(), c.B().Exec().Build())
	values, err := results[len(results)-1].AsIntSlice()
	replies := []string{}
	for _, value := range values {
		replies = append(replies, strconv.FormatInt(value, 10))
	}
	return replies, err
}

func (c *client) Set(key, value string, life time.Duration) ([]string, error) {
	return text(c.Do(background, c.B().Set().Key(key).Value(value).Px(life).Build()))
}

func (c *client) Get(key string) ([]string, error) {
	return text(c.Do(background, c.B().Get().Key(key).Build()))
}

func (c *client) Watch(key string) ([]string, error) {
	c.watching, c.release = c.Dedicate()
	if err := c.watching.Do(background, c.B().Watch().Key(key).Build()).Error(); err != nil {
		return nil, err
	}
	return text(c.watching.Do(background, c.B().Get().Key(key).Build()))
}

func (c *client) Exec(key, value string) ([]string, error) {
	defer c.release()
	results := c.watching.DoMulti(background, c.B().Multi().Build(), c.B().Set().Key(key).Value(value).Build(),
		c.B().Exec().Build())
	replies, err := results[len(results)-1].AsStrSlice()
	if rueidis.IsRedisNil(err) {
		return []string{"nil"}, nil
	}
	return replies, err
}

func main() {
	addresses := []string{}
	for _, port := range os.Args[2:] {
		addresses = append(addresses, "127.0.0.1:"+port)
	}
	connected, err := connect(os.Args[1], addresses)
	if err != nil {
		panic(err)
	}
	protocol.Serve(&client{Client: connected})
}
