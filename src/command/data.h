/* The data commands, by name, for the rows of the command table. Private to command/.
 *
 * Each command uses only its context. The caller has checked the arity. args[0] is the command's
 * name; for a subcommand args[1] is the subcommand's name.
 *
 * A key whose deadline has passed counts as absent. A command that writes removes such a key when
 * it finds it. All replicas remove it at the same entry, because now_ms is the entry's time. */
#ifndef FLOTILLA_COMMAND_DATA_H
#define FLOTILLA_COMMAND_DATA_H

#include "command/command.h"

/* string.c */
command_run command_set_run;
command_run command_get_run;
command_run command_getdel_run;
command_run command_getex_run;
command_run command_getset_run;
command_run command_setnx_run;
command_run command_setex_run;
command_run command_psetex_run;
command_run command_mset_run;
command_run command_msetnx_run;
command_run command_mget_run;

/* string_if.c */
command_run command_delifeq_run;
command_run command_msetex_run;

/* string_range.c */
command_run command_append_run;
command_run command_strlen_run;
command_run command_getrange_run;
command_run command_substr_run;
command_run command_setrange_run;
command_work command_setrange_work;

/* string_number.c */
command_run command_incr_run;
command_run command_decr_run;
command_run command_incrby_run;
command_run command_decrby_run;
command_run command_incrbyfloat_run;

/* list.c */
command_run command_lpush_run;
command_run command_rpush_run;
command_run command_lpushx_run;
command_run command_rpushx_run;
command_run command_llen_run;
command_run command_lindex_run;
command_run command_lset_run;
command_run command_lrange_run;
command_run command_ltrim_run;

/* list_search.c */
command_work command_list_work;
command_run command_linsert_run;
command_run command_lrem_run;
command_run command_lpos_run;

/* list_pop.c */
command_run command_lpop_run;
command_run command_rpop_run;
command_run command_lmpop_run;
command_run command_lmove_run;
command_run command_rpoplpush_run;

/* set.c */
command_run command_sadd_run;
command_run command_srem_run;
command_run command_smove_run;
command_run command_scard_run;
command_run command_sismember_run;
command_run command_smismember_run;
command_run command_smembers_run;
command_run command_spop_run;
command_run command_srandmember_run;
command_run command_sscan_run;

/* set_algebra.c */
command_run command_sinter_run;
command_run command_sinterstore_run;
command_run command_sintercard_run;
command_run command_sunion_run;
command_run command_sunionstore_run;
command_run command_sdiff_run;
command_run command_sdiffstore_run;

/* elements_work.c */
command_work command_elements_work;
command_work command_draw_work;
command_work command_set_reply_work;
command_work command_set_store_work;
command_work command_sintercard_work;

/* hash.c */
command_run command_hset_run;
command_run command_hmset_run;
command_run command_hsetnx_run;
command_run command_hdel_run;
command_run command_hget_run;
command_run command_hmget_run;
command_run command_hgetall_run;
command_run command_hkeys_run;
command_run command_hvals_run;
command_run command_hlen_run;
command_run command_hstrlen_run;
command_run command_hexists_run;
command_run command_hscan_run;

/* hash_more.c */
command_run command_hincrby_run;
command_run command_hincrbyfloat_run;
command_run command_hrandfield_run;

/* bit.c */
command_run command_setbit_run;
command_work command_setbit_work;
command_run command_getbit_run;
command_run command_bitcount_run;
command_run command_bitpos_run;
command_work command_bit_scan_work;

/* bitop.c */
command_run command_bitop_run;
command_work command_bitop_work;

/* bitfield.c */
command_run command_bitfield_run;
command_run command_bitfield_ro_run;
command_work command_bitfield_work;

/* hll.c */
command_run command_pfadd_run;
command_run command_pfcount_run;
command_run command_pfmerge_run;
command_work command_hll_work; /* PFCOUNT, PFMERGE */
command_run command_pfdebug_run;
command_run command_pfselftest_run;
/* zset.c */
command_run command_zadd_run;
command_run command_zincrby_run;
command_run command_zrem_run;
command_run command_zcard_run;
command_run command_zscore_run;
command_run command_zmscore_run;
command_run command_zrank_run;
command_run command_zrevrank_run;

/* zset_bounds.c */
command_run command_zcount_run;
command_run command_zlexcount_run;
command_run command_zremrangebyrank_run;
command_run command_zremrangebyscore_run;
command_run command_zremrangebylex_run;
command_work command_zremrangebyrank_work;
command_work command_zremrangebyscore_work;
command_work command_zremrangebylex_work;

/* zset_range.c */
command_run command_zrange_run;
command_run command_zrevrange_run;
command_run command_zrangebyscore_run;
command_run command_zrevrangebyscore_run;
command_run command_zrangebylex_run;
command_run command_zrevrangebylex_run;
command_run command_zrangestore_run;
command_work command_zrangestore_work;

/* zset_pop.c */
command_run command_zpopmin_run;
command_run command_zpopmax_run;
command_work command_zpop_work;
command_work command_zmpop_work;
command_work command_bzmpop_work;
command_run command_zmpop_run;
command_run command_zrandmember_run;
command_run command_zscan_run;

/* zset_combine.c */
command_run command_zunion_run;
command_run command_zinter_run;
command_run command_zdiff_run;
command_run command_zintercard_run;
command_run command_zunionstore_run;
command_run command_zinterstore_run;
command_run command_zdiffstore_run;
command_work command_zset_combine_work;
command_work command_zset_store_work;
/* hash_expire.c */
command_run command_hexpire_run;
command_run command_hpexpire_run;
command_run command_hexpireat_run;
command_run command_hpexpireat_run;
command_run command_httl_run;
command_run command_hpttl_run;
command_run command_hexpiretime_run;
command_run command_hpexpiretime_run;
command_run command_hpersist_run;

/* hash_ex.c */
command_run command_hgetex_run;
command_run command_hgetex_read_run; /* without options */
command_run command_hsetex_run;
command_run command_hgetdel_run;

/* hash_options.c */
command_rewrite command_hexpire_rewrite;
command_rewrite command_hpexpire_rewrite;
command_rewrite command_hexpireat_rewrite;
command_rewrite command_hgetex_rewrite;
command_rewrite command_hsetex_rewrite;

/* geo.c */
command_run command_geoadd_run;
command_run command_geodist_run;
command_run command_geohash_run;
command_run command_geopos_run;

/* geo_search.c */
command_run command_geosearch_run;
command_run command_geosearchstore_run;
command_run command_georadius_run;
command_run command_georadius_ro_run;
command_run command_georadiusbymember_run;
command_run command_georadiusbymember_ro_run;
command_work command_geosearch_work;
command_work command_geosearchstore_work;
command_work command_georadius_work;
command_work command_georadiusbymember_work;
command_get_keys command_georadius_keys;
command_get_keys command_georadiusbymember_keys;

/* sort.c */
command_run command_sort_run;
command_run command_sort_ro_run;
command_work command_sort_work;
command_get_keys command_sort_keys;
command_get_keys command_sort_ro_keys;
/* Whether BY or GET makes keys of the elements. */
bool command_sort_looks_up(const struct span *args, size_t argc);

/* lcs.c */
command_run command_lcs_run;
command_work command_lcs_work;

/* restore.c */
command_run command_dump_run;
command_work command_dump_work;
command_run command_restore_run;
command_rewrite command_restore_rewrite;

/* key.c */
command_run command_dbsize_run;
command_run command_flushall_run;
command_run command_flushdb_run;
command_run command_swapdb_run;
command_run command_move_run;
command_run command_keys_run;
command_work command_keys_work;
command_run command_randomkey_run;
command_run command_type_run;
command_run command_exists_run;
command_run command_del_run;
command_run command_unlink_run;
command_run command_touch_run;
command_run command_rename_run;
command_run command_renamenx_run;
command_run command_copy_run;
command_work command_copy_work, command_remove_work;
bool command_copy_names_database(const struct span *args, size_t argc);
command_run command_time_run;

/* scan.c */
command_run command_scan_run;

/* object.c */
command_run command_object_encoding_run;
command_run command_object_freq_run;
command_run command_object_idletime_run;
command_run command_object_refcount_run;
command_run command_object_help_run;
command_run command_memory_usage_run;

/* expire.c */
command_run command_expire_run;
command_run command_pexpire_run;
command_run command_expireat_run;
command_run command_pexpireat_run;
command_run command_ttl_run;
command_run command_pttl_run;
command_run command_expiretime_run;
command_run command_pexpiretime_run;
command_run command_persist_run;

/* stream_entry.c */
command_run command_xadd_run;
command_run command_xtrim_run;
command_run command_xdel_run;
command_run command_xlen_run;
command_run command_xsetid_run;
command_run command_xrange_run;
command_run command_xrevrange_run;

/* stream_read.c */
command_run command_xread_run; /* XREADGROUP too */
command_get_keys command_xread_get_keys;

/* stream_group.c */
command_run command_xgroup_create_run;
command_run command_xgroup_setid_run;
command_run command_xgroup_destroy_run;
command_run command_xgroup_createconsumer_run;
command_run command_xgroup_delconsumer_run;
command_run command_xgroup_help_run;
command_run command_xinfo_help_run;
command_run command_xack_run;

/* stream_pending.c */
command_run command_xpending_run;
command_run command_xclaim_run;
command_run command_xautoclaim_run;

/* reply_bytes.c */
command_reply command_fields_reply;    /* HGETEX, HGETDEL */
command_reply command_pop_reply;       /* key [count] */
command_reply command_draw_reply;      /* the same, at random */
command_reply command_pop_first_reply; /* one element of each key up to the last argument */
command_reply command_move_reply;      /* of the first key */
command_reply command_mpop_reply;      /* numkeys … COUNT */
command_reply command_bmpop_reply;     /* timeout numkeys … COUNT */
command_reply command_value_reply;     /* all of the first key, unless it is stored */
command_reply command_xreadgroup_reply;
command_reply command_xclaim_reply;
command_reply command_xautoclaim_reply;

/* stream_work.c */
command_work command_xrange_work;
command_work command_xtrim_work;
command_work command_xread_work;
command_work command_xgroup_work;
command_work command_xpending_work;
command_work command_xautoclaim_work;
command_work command_xinfo_stream_work;

/* stream_info.c */
command_run command_xinfo_stream_run;
command_run command_xinfo_groups_run;
command_run command_xinfo_consumers_run;

/* rewrite.c: makes relative times absolute before they enter the log */
command_rewrite command_set_rewrite;
command_rewrite command_msetex_rewrite;
command_rewrite command_setex_rewrite;
command_rewrite command_psetex_rewrite;
command_rewrite command_getex_rewrite;
command_rewrite command_expire_rewrite;
command_rewrite command_pexpire_rewrite;
command_rewrite command_expireat_rewrite;
command_rewrite command_pexpireat_rewrite; /* only if the time is before 1970 */

/* blocking.c: they do not wait, see struct command_blocking */
command_run command_blpop_run;
command_run command_brpop_run;
command_run command_blmpop_run;
command_run command_blmove_run;
command_run command_brpoplpush_run;
command_run command_bzpopmin_run;
command_run command_bzpopmax_run;
command_run command_bzmpop_run;
extern const struct command_blocking command_blocking_lists;
extern const struct command_blocking command_blocking_many_lists;
extern const struct command_blocking command_blocking_move;
extern const struct command_blocking command_blocking_sorted;
extern const struct command_blocking command_blocking_many_sorted;
extern const struct command_blocking command_blocking_group;   /* XREADGROUP */
extern const struct command_blocking command_blocking_streams; /* XREAD */

/* reading.c: of their calls, those that only read */
extern const struct command_reading command_sort_reading;
extern const struct command_reading command_georadius_reading;
extern const struct command_reading command_georadiusbymember_reading;
extern const struct command_reading command_bitfield_reading;
extern const struct command_reading command_getex_reading;
extern const struct command_reading command_hgetex_reading;

/* idle.c */
command_idle command_pop_idle; /* LPOP, RPOP */
command_idle command_rpoplpush_idle;
command_idle command_push_there_idle; /* LPUSHX, RPUSHX */
command_idle command_spop_idle;
command_idle command_sadd_idle;
command_idle command_srem_idle;
command_idle command_zpop_idle;
command_idle command_zrem_idle;
command_idle command_hdel_idle;
command_idle command_hsetnx_idle;
command_idle command_del_idle; /* DEL, UNLINK */
command_idle command_expire_idle;
command_idle command_pexpire_idle;
command_idle command_expireat_idle;
command_idle command_pexpireat_idle;
command_idle command_persist_idle;
command_idle command_setnx_idle;
command_idle command_set_idle;
command_idle command_getdel_idle;
command_idle command_pfadd_idle;

/* stock.c, stock_hash.c, stream_entry.c: what Redis 7.0 loads in their place */
command_stock command_set_stock; /* only with IFEQ */
command_stock command_msetex_stock;
command_stock command_delifeq_stock;
command_stock command_restore_stock; /* only of a payload that Redis 7.0 does not know */
command_stock command_hexpire_stock;
command_stock command_hpersist_stock;
command_stock command_hgetex_stock;
command_stock command_hsetex_stock;
command_stock command_hgetdel_stock;
command_stock command_xadd_stock; /* only if the entry gets its ID from the time */

#endif
