"""The control API below `/_sim`, its client, and the page that shows the state of the simulator."""
