// go_redis MODE PORT…: go-redis as scenario.py asks it to.
package main

import (
	"context"
	"errors"
	"os"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
	"tests/protocol"
)

var background = context.Background()

// client also holds a transaction that waits for its end: go-redis runs those as a function of the program's.
type client struct {
	redis.UniversalClient
	values chan string
	ended  chan error
}

func connect(mode string, addresses []string) redis.UniversalClient {
	switch mode {
	case "cluster":
		return redis.NewClusterClient(&redis.ClusterOptions{Addrs: addresses})
	case "sentinel":
		return redis.NewFailoverClient(&redis.FailoverOptions{MasterName: "mymaster", SentinelAddrs: addresses})
	}
	return redis.NewClient(&redis.Options{Addr: addresses[0]})
}

func integers(results []redis.Cmder, err error) ([]string, error) {
	replies := []string{}
	for _, result := range results {
		replies = append(replies, strconv.FormatInt(result.(*redis.IntCmd).Val(), 10))
	}
	return replies, err
}

func (c *client) Incr(key string) ([]string, error) {
	value, err := c.UniversalClient.Incr(background, key).Result()
	return []string{strconv.FormatInt(value, 10)}, err
}

func (c *client) Pipeline(key string, count int) ([]string, error) {
	return integers(c.Pipelined(background, func(pipe redis.Pipeliner) error {
		for i := 0; i < count; i++ {
			pipe.Incr(background, key)
		}
		return nil
	}))
}

func (c *client) Transaction(one, other string) ([]string, error) {
	return integers(c.TxPipelined(background, func(pipe redis.Pipeliner) error {
		pipe.Incr(background, one)
		pipe.Incr(background, other)
		return nil
	}))
}

func (c *client) Set(key, value string, life time.Duration) ([]string, error) {
	reply, err := c.UniversalClient.Set(background, key, value, life).Result()
	return []string{reply}, err
}

func (c *client) Get(key string) ([]string, error) {
	return read(c.UniversalClient.Get(background, key))
}

func read(result *redis.StringCmd) ([]string, error) {
	if errors.Is(result.Err(), redis.Nil) {
		return []string{"nil"}, nil
	}
	return []string{result.Val()}, result.Err()
}

func (c *client) Watch(key string) ([]string, error) {
	c.values, c.ended = make(chan string), make(chan error, 1)
	watched := make(chan *redis.StringCmd, 1)
	go func() {
		c.ended <- c.UniversalClient.Watch(background, func(tx *redis.Tx) error {
			watched <- tx.Get(background, key)
			value := <-c.values
			_, err := tx.TxPipelined(background, func(pipe redis.Pipeliner) error {
				pipe.Set(background, key, value, 0)
				return nil
			})
			return err
		}, key)
	}()
	select {
	case result := <-watched:
		return read(result)
	case err := <-c.ended:
		return nil, err
	}
}

func (c *client) Exec(key, value string) ([]string, error) {
	c.values <- value
	err := <-c.ended
	if errors.Is(err, redis.TxFailedErr) {
		return []string{"nil"}, nil
	}
	return []string{"OK"}, err
}

func main() {
	addresses := []string{}
	for _, port := range os.Args[2:] {
		addresses = append(addresses, "127.0.0.1:"+port)
	}
	c := &client{UniversalClient: connect(os.Args[1], addresses)}
	if err := c.Ping(background).Err(); err != nil {
		panic(err)
	}
	protocol.Serve(c)
}
