//! redis_rs MODE PORT…: redis-rs as scenario.py asks it to.
//!
//! Transactions in cluster mode are in its asynchronous half only.
use redis::aio::MultiplexedConnection;
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::sentinel::{SentinelClient, SentinelServerType};
use redis::{cmd, pipe, Cmd, FromRedisValue, Pipeline, RedisResult};
use std::io::BufRead;
use std::time::Duration;

const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(20);

type Replies = RedisResult<Vec<String>>;

enum Source {
    Plain(redis::Client),
    Cluster(ClusterClient),
    Sentinel(SentinelClient),
}

impl Source {
    fn new(mode: &str, ports: &[String]) -> RedisResult<Source> {
        let urls: Vec<String> =
            ports.iter().map(|port| format!("redis://127.0.0.1:{port}")).collect();
        let name = "mymaster".to_string();
        Ok(match mode {
            "cluster" => Source::Cluster(ClusterClient::new(urls)?),
            "sentinel" => Source::Sentinel(SentinelClient::build(
                urls,
                name,
                None,
                SentinelServerType::Master,
            )?),
            _ => Source::Plain(redis::Client::open(urls[0].as_str())?),
        })
    }

    async fn connect(&mut self) -> RedisResult<Connection> {
        Ok(match self {
            Source::Plain(client) => {
                Connection::Single(client.get_multiplexed_async_connection().await?)
            }
            Source::Sentinel(client) => Connection::Single(client.get_async_connection().await?),
            Source::Cluster(client) => Connection::Cluster(client.get_async_connection().await?),
        })
    }
}

enum Connection {
    Single(MultiplexedConnection),
    Cluster(ClusterConnection),
}

/// Connects anew after a loss: redis-rs leaves that to its user, but in cluster mode.
struct Client {
    source: Source,
    connection: Option<Connection>,
}

impl Client {
    async fn connection(&mut self) -> RedisResult<&mut Connection> {
        if self.connection.is_none() {
            self.connection = Some(self.source.connect().await?);
        }
        Ok(self.connection.as_mut().unwrap())
    }

    async fn ask<T: FromRedisValue>(&mut self, command: &Cmd) -> RedisResult<T> {
        match self.connection().await? {
            Connection::Single(connection) => command.query_async(connection).await,
            Connection::Cluster(connection) => command.query_async(connection).await,
        }
    }

    async fn ask_all<T: FromRedisValue>(&mut self, commands: &Pipeline) -> RedisResult<T> {
        match self.connection().await? {
            Connection::Single(connection) => commands.query_async(connection).await,
            Connection::Cluster(connection) => commands.query_async(connection).await,
        }
    }

    async fn pipeline(&mut self, key: &str, count: usize) -> Replies {
        let mut commands = pipe();
        for _ in 0..count {
            commands.incr(key, 1);
        }
        self.ask_all(&commands).await
    }

    async fn get(&mut self, key: &str) -> Replies {
        let value: Option<String> = self.ask(cmd("GET").arg(key)).await?;
        Ok(vec![value.unwrap_or("nil".to_string())])
    }

    async fn watch(&mut self, key: &str) -> Replies {
        self.ask::<()>(cmd("WATCH").arg(key)).await?;
        self.get(key).await
    }

    async fn exec(&mut self, key: &str, value: &str) -> Replies {
        let replies: Option<Vec<String>> = self.ask_all(pipe().atomic().set(key, value)).await?;
        Ok(replies.unwrap_or(vec!["nil".to_string()]))
    }

    async fn run(&mut self, words: &[&str]) -> Replies {
        match words[0] {
            "incr" => self.ask(cmd("INCR").arg(words[1])).await.map(|value: String| vec![value]),
            "pipeline" => self.pipeline(words[1], words[2].parse().unwrap()).await,
            "transaction" => {
                self.ask_all(pipe().atomic().incr(words[1], 1).incr(words[2], 1)).await
            }
            "set" => self
                .ask(cmd("SET").arg(words[1]).arg(words[2]).arg("PX").arg(words[3]))
                .await
                .map(|reply: String| vec![reply]),
            "get" => self.get(words[1]).await,
            "watch" => self.watch(words[1]).await,
            "exec" => self.exec(words[1], words[2]).await,
            other => panic!("unknown: {other}"),
        }
    }

    async fn say(&mut self, words: &[&str]) {
        match self.run(words).await {
            Ok(replies) => replies.iter().for_each(|reply| println!("= {reply}")),
            Err(error) => {
                println!("! {}", error.to_string().split_whitespace().collect::<Vec<_>>().join(" "));
                if error.is_unrecoverable_error() && !matches!(self.source, Source::Cluster(_)) {
                    self.connection = None;
                }
                tokio::time::sleep(PAUSE_AFTER_ERROR).await;
            }
        }
    }
}

#[tokio::main]
async fn main() -> RedisResult<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let mut client = Client { source: Source::new(&args[0], &args[1..])?, connection: None };
    client.connection().await?;
    println!("ready");
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split(' ').collect();
        let times = if words[0] == "incr" { words[2].parse().unwrap() } else { 1 };
        for _ in 0..times {
            client.say(&words).await;
        }
        println!(".");
    }
    Ok(())
}
