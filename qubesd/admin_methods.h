/*
 * admin_methods - the handlers of the method table in admin.c, by file. Each answers its call
 * exactly once, through the functions of admin.h.
 */
#ifndef QUBESD_ADMIN_METHODS_H
#define QUBESD_ADMIN_METHODS_H

struct admin_call;

/* admin_domain.c: variant is an enum domain_class, plus ADMIN_IN_POOL */
#define ADMIN_IN_POOL 0x100
void admin_class_list(struct admin_call *call);
void admin_domain_list(struct admin_call *call);
void admin_domain_create(struct admin_call *call);
void admin_domain_create_disposable(struct admin_call *call);
void admin_domain_remove(struct admin_call *call);
void admin_notes_get(struct admin_call *call);
void admin_notes_set(struct admin_call *call);

/* admin_power.c */
void admin_power_state(struct admin_call *call);
void admin_power_start(struct admin_call *call);
void admin_power_shutdown(struct admin_call *call);
void admin_power_kill(struct admin_call *call);
void admin_power_pause(struct admin_call *call);
void admin_power_unpause(struct admin_call *call);

/* admin_property.c: of the destination, or of the application when variant is ADMIN_GLOBAL */
#define ADMIN_GLOBAL 1
void admin_property_list(struct admin_call *call);
void admin_property_get(struct admin_call *call);
void admin_property_get_all(struct admin_call *call);
void admin_property_get_default(struct admin_call *call);
void admin_property_set(struct admin_call *call);
void admin_property_reset(struct admin_call *call);
void admin_property_help(struct admin_call *call);

/* admin_feature.c: variant of feature_get is an enum feature_chain */
void admin_feature_list(struct admin_call *call);
void admin_feature_get(struct admin_call *call);
void admin_feature_set(struct admin_call *call);
void admin_feature_remove(struct admin_call *call);
void admin_tag_list(struct admin_call *call);
void admin_tag_get(struct admin_call *call);
void admin_tag_set(struct admin_call *call);
void admin_tag_remove(struct admin_call *call);

/* admin_label.c */
void admin_label_list(struct admin_call *call);
void admin_label_get(struct admin_call *call);
void admin_label_index(struct admin_call *call);
void admin_label_create(struct admin_call *call);
void admin_label_remove(struct admin_call *call);

/* admin_pool.c */
void admin_device_class_list(struct admin_call *call);
void admin_pool_list(struct admin_call *call);
void admin_pool_list_drivers(struct admin_call *call);
void admin_pool_info(struct admin_call *call);
void admin_pool_volume_list(struct admin_call *call);
void admin_pool_add(struct admin_call *call);
void admin_pool_remove(struct admin_call *call);
void admin_pool_set_revisions(struct admin_call *call);
void admin_pool_set_ephemeral(struct admin_call *call);

/* admin_volume.c */
enum admin_volume_setting {
	ADMIN_VOLUME_SET_REVISIONS,
	ADMIN_VOLUME_SET_RW,
	ADMIN_VOLUME_SET_EPHEMERAL,
};
void admin_volume_list(struct admin_call *call);
void admin_volume_info(struct admin_call *call);
void admin_volume_list_snapshots(struct admin_call *call);
void admin_volume_revert(struct admin_call *call);
void admin_volume_resize(struct admin_call *call);
void admin_volume_clear(struct admin_call *call);
void admin_volume_set(struct admin_call *call); /* variant: enum admin_volume_setting */
void admin_volume_clone_from(struct admin_call *call);
void admin_volume_clone_to(struct admin_call *call);
void admin_volume_import_begin(struct admin_call *call);
void admin_volume_import_end(struct admin_call *call);

/* event_stream.c, system_info.c */
void admin_events(struct admin_call *call);
void admin_get_system_info(struct admin_call *call);
void admin_system_info_events(struct admin_call *call);

#endif
