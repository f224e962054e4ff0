# What the agent is made of, but for main.c; the pure parts are what its unit test links.
gui_agent_pure := $(addprefix gui-agent/,describe.c guest_conf.c keys.c layout.c region_alloc.c)
gui_agent_x_pkgs := x11 x11-xcb xcb xcb-shm xcb-xfixes xext xcomposite xdamage xfixes xrandr xtst

guest += qubes-gui
qubes-gui.src := $(gui_agent_pure) $(addprefix gui-agent/,agent.c child.c clipboard.c dispatch.c \
	display.c ewmh.c focus.c inject.c link.c main.c props.c screen.c session.c status.c \
	surface_export.c window.c wm_protocols.c xserver.c xwatch.c)
qubes-gui.libs := vchan gui_protocol shared
qubes-gui.pkgs := glib-2.0 $(gui_agent_x_pkgs)
