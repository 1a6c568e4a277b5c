"""a small network"""
