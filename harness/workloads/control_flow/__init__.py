"""a network whose path depends on the data"""
