"""a stack of convolutions"""
