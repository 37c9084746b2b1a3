"""Files of torch.export: the archive, the graph in it, and the expressions that sizes are."""
